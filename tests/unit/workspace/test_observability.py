"""Alert rules and dashboards: generated, valid, about metrics that are documented, each with its runbook."""

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from support.docs.code_names import METRICS
from support.docs.doc_names import ROOT, dead_anchors
from support.docs.rules import FOLDER, alerts, dashboard_queries, metrics_of, recorded_in, rules

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (apt-get install prometheus)"
)
OTHERS = re.compile(r"temporal_\w+|process_\w+|up")
"""Metrics of Temporal's SDK, of prometheus-client and of Prometheus."""


def compose(name: str) -> Mapping[str, Any]:
    parsed: Mapping[str, Any] = yaml.safe_load((ROOT / "compose" / name).read_text())
    return parsed


@needs_promtool
@pytest.mark.parametrize(
    "arguments", [("check", "rules.yaml"), ("test", "rules.test.yaml")], ids=lambda a: a[0]
)
def test_promtool_accepts_the_rules(arguments: tuple[str, str]) -> None:
    verb, name = arguments
    done = subprocess.run(
        ["promtool", verb, "rules", str(FOLDER / name)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_promtool_accepts_the_configuration_of_prometheus() -> None:
    done = subprocess.run(
        ["promtool", "check", "config", "--syntax-only", str(FOLDER / "prometheus.yaml")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_dashboards_are_generated() -> None:
    command = [sys.executable, str(ROOT / "tools/dashboards.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == 0, done.stderr


def test_queries_read_metrics_that_exist() -> None:
    queries = [*(panel.query for panel in dashboard_queries()), *(rule["expr"] for rule in rules())]
    named = set[str]().union(*(metrics_of(query) for query in queries))

    assert {name for name in named if not OTHERS.fullmatch(name)} <= METRICS
    assert set[str]().union(*(recorded_in(query) for query in queries)) <= {
        rule["record"] for rule in rules() if "record" in rule
    }


def test_a_metric_that_does_not_exist_is_found() -> None:
    query = 'sum(rate(signalbox_gateway_imaginary_total{route="up"}[5m])) / up'

    assert metrics_of(query) == {"signalbox_gateway_imaginary_total", "up"}
    assert "signalbox_gateway_imaginary_total" not in METRICS


def test_every_alert_has_a_severity_a_summary_and_a_section_in_the_runbooks() -> None:
    names = [alert["alert"] for alert in alerts()]
    links = "\n".join(f"[{alert['alert']}]({alert['annotations']['runbook']})" for alert in alerts())
    pages = {"README.md": links, "docs/runbooks.md": (ROOT / "docs/runbooks.md").read_text()}

    assert len(set(names)) == len(names)
    assert {alert["labels"]["severity"] for alert in alerts()} == {"page", "ticket", "info"}
    assert all(alert["annotations"]["summary"] for alert in alerts())
    assert dead_anchors("README.md", pages) == []
    assert all(f"`{name}`" in pages["docs/runbooks.md"] for name in names), "name the alert in its section"


def test_the_compose_overlay_mounts_what_exists_and_publishes_on_loopback_only() -> None:
    overlay, base = compose("observability.yml"), compose("docker-compose.yml")
    services = [service for name, service in overlay["services"].items() if name not in base["services"]]
    mounted = [volume.split(":")[0] for service in services for volume in service.get("volumes", ())]

    assert all((ROOT / "compose" / path).exists() for path in mounted if path.startswith("."))
    assert {name for name in mounted if not name.startswith(".")} == set(overlay["volumes"])
    assert all(port.startswith("127.0.0.1:") for service in services for port in service.get("ports", ()))
    assert all(re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", service["image"]) for service in services)


def test_the_overlay_sends_spans_through_the_collector_to_jaeger() -> None:
    services = compose("observability.yml")["services"]
    collector = yaml.safe_load((FOLDER / "collector.yaml").read_text())
    (pipeline,) = collector["service"]["pipelines"].values()
    (receiver,) = collector["receivers"].values()
    sending = {
        name: given["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"]
        for name, given in services.items()
        if "OTEL_EXPORTER_OTLP_ENDPOINT" in given.get("environment", {})
    }

    assert sending.keys() == {"gateway", "webhook-receiver", "worker"}
    port = receiver["protocols"]["http"]["endpoint"].rpartition(":")[2]
    assert set(sending.values()) == {f"http://otel-collector:{port}"}
    for part in ("receivers", "processors", "exporters"):
        assert set(pipeline[part]) == set(collector[part])
    assert collector["exporters"]["otlp"]["endpoint"].partition(":")[0] in services
    (mounted,) = services["otel-collector"]["volumes"]
    assert services["otel-collector"]["command"] == [f"--config={mounted.split(':')[1]}"]


def test_links_to_a_trace_lead_to_the_same_page_of_jaeger() -> None:
    services = compose("observability.yml")["services"]
    sources = yaml.safe_load((FOLDER / "grafana/datasource.yaml").read_text())["datasources"]
    (prometheus, jaeger) = sources
    (destination,) = prometheus["jsonData"]["exemplarTraceIdDestinations"]
    page = services["gateway"]["environment"]["SIGNALBOX_GATEWAY_TRACE_URL"]

    assert destination["url"].replace("$${__value.raw}", "{trace_id}") == page
    assert services["jaeger"]["ports"] == [f"127.0.0.1:{page.split('/')[2].split(':')[1]}:16686"]
    assert jaeger["url"] == "http://jaeger:16686"
    assert "--enable-feature=exemplar-storage" in services["prometheus"]["command"]


def test_compose_passes_the_variables_of_traces_on() -> None:
    services = compose("docker-compose.yml")["services"]
    for name in ("gateway", "webhook-receiver", "worker"):
        given = services[name]["environment"]
        assert given["OTEL_EXPORTER_OTLP_ENDPOINT"] is None, "taken from the environment of the caller"


def test_prometheus_scrapes_every_service_on_its_port_of_the_metrics() -> None:
    jobs = yaml.safe_load((FOLDER / "prometheus.yaml").read_text())["scrape_configs"]
    ports = {job["job_name"]: job["dns_sd_configs"][0]["port"] for job in jobs}

    own = {
        service: int(value)
        for service, given in compose("docker-compose.yml")["services"].items()
        for variable, value in (given.get("environment") or {}).items()
        if variable.endswith("_METRICS_PORT")
    }
    assert ports == {**own, "worker": 8080}
    assert all(job["dns_sd_configs"][0]["names"] == [job["job_name"]] for job in jobs)
