"""/metrics in both formats, and exemplars, which lead from a latency to a trace."""

from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.parser import text_string_to_metric_families as parse_text

from signalbox_core.http.health import accepts_openmetrics, as_openmetrics, metrics_response
from signalbox_core.traces import TraceContext, exemplar_labels

TRACE = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", True)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
SDK = b"""# HELP temporal_request_total Count of calls
# TYPE temporal_request_total counter
temporal_request_total{operation="Poll"} 5

# HELP temporal_slots Free slots
# TYPE temporal_slots gauge
temporal_slots 3
"""


def openmetrics(text: str) -> Iterator[Metric]:
    """The families that Prometheus reads."""
    yield from text_string_to_metric_families(text)  # type: ignore[no-untyped-call]


async def more() -> bytes:
    return SDK


def registry() -> CollectorRegistry:
    found = CollectorRegistry()
    Counter("own_calls", "Calls", registry=found).inc()
    seconds = Histogram("own_seconds", "Time", registry=found, buckets=(0.1, 1))
    seconds.observe(0.05)
    seconds.observe(0.5, exemplar_labels(TRACE))
    return found


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (PROMETHEUS_3, True),
        ("text/plain;version=0.0.4", False),
        ("*/*", False),
        ("", False),
        ("text/plain, Application/OpenMetrics-Text", True),
    ],
)
def test_the_accept_header_selects_the_format(accept: str, expected: bool) -> None:
    assert accepts_openmetrics(accept) is expected


async def test_openmetrics_has_all_metrics_and_the_exemplar() -> None:
    response = await metrics_response(PROMETHEUS_3, registry(), more)

    text = bytes(response.body).decode()
    families = {family.name: family for family in openmetrics(text)}
    assert response.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert families.keys() == {"own_calls", "own_seconds", "temporal_request", "temporal_slots"}
    assert families["temporal_request"].type == "counter"
    exemplars = {
        sample.labels["le"]: sample.exemplar
        for sample in families["own_seconds"].samples
        if sample.name == "own_seconds_bucket" and sample.exemplar
    }
    assert {bucket: found.labels for bucket, found in exemplars.items()} == {
        "1.0": {"trace_id": TRACE.trace_id}
    }


async def test_the_text_format_has_all_metrics_and_no_exemplar() -> None:
    response = await metrics_response("*/*", registry(), more)

    text = bytes(response.body).decode()
    assert response.headers["content-type"].startswith("text/plain")
    assert {"own_calls", "own_seconds", "temporal_request", "temporal_slots"} <= {
        family.name for family in parse_text(text)
    }
    assert TRACE.trace_id not in text
    assert "# EOF" not in text


def test_nothing_to_convert_stays_nothing() -> None:
    assert as_openmetrics(b"") == b""


@pytest.mark.parametrize("context", [None, TraceContext(TRACE.trace_id, TRACE.span_id, False)])
def test_a_trace_that_is_not_recorded_has_no_exemplar(context: TraceContext | None) -> None:
    assert exemplar_labels(context) is None
