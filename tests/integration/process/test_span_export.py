"""Spans reach a collector over OTLP/HTTP, with what the standard variables set."""

import zlib
from collections.abc import Mapping

import pytest

from signalbox_core.traces import SpanKind, TraceContext
from signalbox_core.traces.configuration import open_tracing
from support.servers.otlp_collector import OtlpCollector, collecting, otlp_collector

PARENT = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", True)


def set_all(monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str]) -> Mapping[str, str]:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables


async def test_spans_are_sent_at_the_end_at_the_latest(monkeypatch: pytest.MonkeyPatch) -> None:
    with otlp_collector() as collector:
        variables = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=test",
            "OTEL_BSP_SCHEDULE_DELAY": "60000",
        }
        async with open_tracing("signalbox-test", set_all(monkeypatch, variables)) as tracing:
            with tracing.span("work", parent=PARENT, kind=SpanKind.CLIENT) as span:
                assert span is not None
                span.set({"signalbox.events": 3})
            tracing.record("broken", parent=PARENT, links=[PARENT], error="queue_full")

        sent = {span.name: span for span in collector.spans}
        assert set(sent) == {"work", "broken"}
        assert {span.service for span in sent.values()} == {"signalbox-test"}
        assert {span.parent_id for span in sent.values()} == {PARENT.span_id}
        assert (sent["work"].attributes, sent["work"].is_error) == ({"signalbox.events": "3"}, False)
        assert (sent["broken"].attributes, sent["broken"].is_error) == ({"error.type": "queue_full"}, True)
        assert sent["broken"].links == [PARENT.trace_id]


class FussyCollector(OtlpCollector):
    """Refuses the first request with 503, and keeps the headers of all."""

    def __init__(self) -> None:
        super().__init__()
        self.headers: list[Mapping[str, str]] = []

    def take(self, body: bytes, headers: Mapping[str, str]) -> int:
        self.headers.append(headers)
        return 503 if len(self.headers) == 1 else super().take(zlib.decompress(body, wbits=47), headers)


async def test_a_refused_export_is_repeated_with_headers_and_compression(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with collecting(FussyCollector()) as collector:
        variables = {
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{collector.url}/v1/traces",
            "OTEL_EXPORTER_OTLP_HEADERS": "api-key=secret",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        }
        async with open_tracing("signalbox-test", set_all(monkeypatch, variables)) as tracing:
            tracing.record("work", parent=PARENT)

        assert [span.name for span in collector.spans] == ["work"]
        assert [headers["api-key"] for headers in collector.headers] == ["secret"] * 2
        assert {headers["content-encoding"] for headers in collector.headers} == {"gzip"}
