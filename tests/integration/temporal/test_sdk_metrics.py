"""Metrics of Temporal's SDK: read from a loopback port that needs no setting."""

import socket
from collections.abc import Iterator

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from signalbox_core.errors import Unavailable
from signalbox_core.http.health import as_openmetrics
from signalbox_core.temporal import connect
from signalbox_core.temporal.sdk_metrics import SdkMetrics, open_sdk_metrics
from support.servers.backends import free_port


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def parse(openmetrics: bytes) -> Iterator[Metric]:
    text = f"{openmetrics.decode()}# EOF\n"
    yield from text_string_to_metric_families(text)  # type: ignore[no-untyped-call]


async def test_calls_of_a_client_are_in_the_metrics(temporal_address: str) -> None:
    metrics = open_sdk_metrics()
    client = await connect(temporal_address, "default", runtime=metrics.runtime)
    await client.count_workflows("ExecutionStatus = 'Running'")

    text = (await metrics.read()).decode()
    families = {family.name: family.type for family in parse(as_openmetrics(text.encode()))}

    assert 'operation="CountWorkflowExecutions"' in text
    assert "# TYPE temporal_request_latency_seconds histogram" in text
    assert "# TYPE temporal_request_total counter" in text
    assert families["temporal_request"] == "counter"


def test_another_port_is_taken_when_a_process_was_faster(taken: int) -> None:
    free = free_port()
    ports = iter([taken, taken, free])

    assert open_sdk_metrics(choose_port=lambda: next(ports)).port == free


def test_no_free_port_stops_the_start(taken: int) -> None:
    with pytest.raises(Unavailable, match="no free port"):
        open_sdk_metrics(choose_port=lambda: taken)


async def test_metrics_that_cannot_be_read_are_left_out() -> None:
    metrics = open_sdk_metrics()

    assert await SdkMetrics(runtime=metrics.runtime, port=free_port()).read() == b""
