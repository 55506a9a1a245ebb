"""One trace through every hop of the running stack, received by an OTLP collector."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urljoin

import httpx2
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from signalbox_client.commands.prompts import variants_of
from signalbox_devstack.stack.keys import TENANT
from support.assertions.eventually import eventually
from support.drivers.journeys import approve, decide, until_asked, until_ended
from support.drivers.notifier_bench import SECRET
from support.servers.notification_sinks import webhook_sink
from support.servers.otlp_collector import CollectedSpan, OtlpCollector, otlp_collector
from support.servers.stack import running_stack

WITHIN_S = 120
TRACE, CALLER = "5b8aa5a2d2c872e8321cf37308d69df2", "051581bf3cb55c13"
HOPS = {
    ("signalbox-gateway", "POST /v1/runs"),
    ("signalbox-worker", "activity ad_creative.compose_ad"),
    ("signalbox-worker", "send events"),
    ("signalbox-webhook-receiver", "receive events"),
    ("signalbox-gateway", "process projector"),
    ("signalbox-gateway", "notify"),
    ("signalbox-gateway", "send webhook"),
    ("signalbox-worker", "update decide"),
}


@pytest.fixture
def collector() -> Iterator[OtlpCollector]:
    with otlp_collector() as started:
        yield started


def write_routes(folder: Path, port: int) -> Path:
    (folder / "secret").write_text(f"whsec_{SECRET}")
    crm = {"kind": "webhook", "url": f"http://127.0.0.1:{port}/crm", "secret_file": "secret"}
    tenant = {"destinations": {"crm": crm}, "routes": [{"to": ["crm"]}]}
    path = folder / "routes.json"
    path.write_text(json.dumps({"allow": [f"127.0.0.1:{port}"], "tenants": {TENANT: tenant}}))
    return path


def hops(spans: Sequence[CollectedSpan]) -> set[tuple[str, str]]:
    return {(span.service, span.name) for span in spans}


async def exemplar_traces(address: str) -> dict[str, set[str]]:
    """The traces of the exemplars of each histogram, as Prometheus reads them."""
    headers = {"accept": "application/openmetrics-text; version=1.0.0"}
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as caller:
        text = (await caller.get(urljoin(address, "/metrics"), headers=headers)).text
    families = text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
    return {
        family.name: {sample.exemplar.labels["trace_id"] for sample in family.samples if sample.exemplar}
        for family in families
    }


async def eventually_empty(missing: Callable[[], set[tuple[str, str]]]) -> set[tuple[str, str]]:
    """Wait until nothing is missing; return what still is at the deadline."""
    with suppress(AssertionError):
        await eventually(lambda: not missing(), within_s=WITHIN_S, every_s=0.2)
    return missing()


@pytest.mark.timeout(400)
async def test_one_trace_id_is_found_in_all_hops(tmp_path: Path, collector: OtlpCollector) -> None:
    async with webhook_sink() as hooks:
        variables = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "SIGNALBOX_GATEWAY_NOTIFICATIONS_FILE": str(write_routes(tmp_path, hooks.port)),
            "SIGNALBOX_GATEWAY_TRACE_URL": "https://traces.example.com/trace/{trace_id}",
        }
        with running_stack(tmp_path / "stack", environ=variables) as stack:
            endpoints = stack.endpoints
            headers = {
                "authorization": f"Bearer {endpoints.api_keys['admin']}",
                "traceparent": f"00-{TRACE}-{CALLER}-01",
            }
            body = {"pipeline": "ad_creative", "input": {"url": f"{endpoints.demo_site}/en/coffee"}}
            async with httpx2.AsyncClient(
                base_url=str(endpoints.gateway), trust_env=False, timeout=60
            ) as caller:
                started = await caller.post("/v1/runs", json=body, headers=headers)
            assert started.status_code < 300, started.text
            run_id = started.json()["run_id"]
            async with stack.client() as client:
                approval = await until_asked(client, run_id, within_s=WITHIN_S)
                await decide(client, run_id, approval, [approve] * len(variants_of(approval)))
                assert await until_ended(client, run_id, within_s=WITHIN_S) == "completed"
                assert (await client.run(run_id)).trace_id == TRACE
            missing = await eventually_empty(lambda: HOPS - hops(collector.of_trace(TRACE)))
            assert not missing, hops(collector.of_trace(TRACE))
            logs = stack.log("gateway", 2_000)
            exemplars = {
                "signalbox_gateway_start_seconds": await exemplar_traces(str(endpoints.gateway)),
                "signalbox_receiver_seconds": await exemplar_traces(str(endpoints.receiver)),
            }

        spans = collector.of_trace(TRACE)
        by_id = {span.span_id: span for span in spans}
        (entry,) = [span for span in spans if span.parent_id == CALLER]
        assert entry.name == "POST /v1/runs"
        assert all(span.parent_id in by_id for span in spans if span is not entry)
        # The decision is a request of a trace of its own, days later; the run's trace links to it.
        (link,) = {link for span in spans if span.name == "update decide" for link in span.links}
        decided = [span for span in collector.of_trace(link) if span.name.startswith("POST /v1/runs/")]
        assert [span.name for span in decided] == ["POST /v1/runs/{run_id}/approvals/{approval_id}/decision"]
        assert {request.headers["traceparent"].split("-")[1] for request in hooks.requests} <= {TRACE}
        assert f'"trace_id": "{TRACE}"' in logs
        assert all(TRACE in found[name] for name, found in exemplars.items())
        # Nothing of the run's content is in a span.
        assert "/en/coffee" not in repr(collector.spans)
