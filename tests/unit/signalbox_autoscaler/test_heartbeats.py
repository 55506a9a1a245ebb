"""Workers that poll without heartbeats are reported, and not mistaken for an empty fleet."""

import logging
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry, Gauge

from signalbox_autoscaler.observe.heartbeats import (
    MAX_INTERVAL,
    HeartbeatMonitor,
    queues_without_heartbeats,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATELY = NOW - timedelta(seconds=10)
LONG_AGO = NOW - MAX_INTERVAL - timedelta(seconds=11)


@pytest.mark.parametrize(
    ("polled_at", "heartbeat_at", "is_blind"),
    [
        pytest.param(LATELY, None, True, id="polls, never a heartbeat"),
        pytest.param(LATELY, LATELY, False, id="polls and heartbeats"),
        pytest.param(LATELY, LONG_AGO, True, id="polls, heartbeats have ceased"),
        pytest.param(None, None, False, id="no worker at all"),
        pytest.param(LONG_AGO, None, False, id="a poller that has stopped"),
        pytest.param(LONG_AGO, LONG_AGO, False, id="a worker that has stopped"),
    ],
)
def test_a_queue_that_is_polled_without_heartbeats(
    polled_at: datetime | None, heartbeat_at: datetime | None, is_blind: bool
) -> None:
    heartbeats = {"q": heartbeat_at} if heartbeat_at else {}
    assert queues_without_heartbeats({"q": polled_at}, heartbeats, NOW) == ({"q"} if is_blind else set())


def problem_after(monitor: HeartbeatMonitor, queues: set[str], list_error: str | None = None) -> str | None:
    monitor.report(frozenset(queues), list_error)
    return monitor.problem


def test_a_change_is_logged_once_and_the_metric_counts_queues(caplog: pytest.LogCaptureFixture) -> None:
    gauge = Gauge("blind", "", registry=CollectorRegistry())
    monitor = HeartbeatMonitor(gauge)
    caplog.set_level(logging.INFO)
    assert problem_after(monitor, {"b", "a", "starting"}) is None
    for _ in range(2):
        problem = problem_after(monitor, {"b", "a"})
    assert problem is not None
    assert "seen on a, b" in problem
    assert "frontend.WorkerHeartbeatsEnabled" in problem
    assert [item.message for item in caplog.records] == ["no worker heartbeats"]
    assert next(iter(gauge.collect())).samples[0].value == 2

    problem = problem_after(monitor, set(), "Temporal did not list its workers: disabled")
    assert problem is not None
    assert problem.startswith("Temporal did not list its workers: disabled; the Temporal server must")
    assert problem_after(monitor, set()) is None
    assert len(caplog.records) == 3
