"""Alert rules and dashboards: generated, valid, about metrics that are documented, each with its runbook."""

import re
import shutil
import subprocess
import sys

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
    overlay = yaml.safe_load((ROOT / "compose/observability.yml").read_text())
    services = overlay["services"].values()
    mounted = [volume.split(":")[0] for service in services for volume in service["volumes"]]

    assert all((ROOT / "compose" / path).exists() for path in mounted if path.startswith("."))
    assert {name for name in mounted if not name.startswith(".")} == set(overlay["volumes"])
    assert all(port.startswith("127.0.0.1:") for service in services for port in service["ports"])
    assert all(re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", service["image"]) for service in services)


def test_prometheus_scrapes_every_service_on_its_port_of_the_metrics() -> None:
    jobs = yaml.safe_load((FOLDER / "prometheus.yaml").read_text())["scrape_configs"]
    compose = yaml.safe_load((ROOT / "compose/docker-compose.yml").read_text())["services"]
    ports = {job["job_name"]: job["dns_sd_configs"][0]["port"] for job in jobs}

    own = {
        service: int(value)
        for service, given in compose.items()
        for variable, value in (given.get("environment") or {}).items()
        if variable.endswith("_METRICS_PORT")
    }
    assert ports == {**own, "worker": 8080}
    assert all(job["dns_sd_configs"][0]["names"] == [job["job_name"]] for job in jobs)
