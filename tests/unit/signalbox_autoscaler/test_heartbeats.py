"""Workers that poll without heartbeats are reported, and never read as no workers."""

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


def test_a_change_is_logged_once_and_the_metric_counts_queues(caplog: pytest.LogCaptureFixture) -> None:
    gauge = Gauge("blind", "", registry=CollectorRegistry())
    monitor = HeartbeatMonitor(gauge)
    caplog.set_level(logging.INFO)
    monitor.report(frozenset({"b", "a", "starting"}), None)
    assert monitor.problem is None
    for _ in range(2):
        monitor.report(frozenset({"b", "a"}), None)
    assert monitor.problem is not None
    assert "seen on a, b" in monitor.problem
    assert "frontend.WorkerHeartbeatsEnabled" in monitor.problem
    assert [item.message for item in caplog.records] == ["no worker heartbeats"]
    assert next(iter(gauge.collect())).samples[0].value == 2

    monitor.report(frozenset(), "Temporal does not list its workers: disabled")
    assert monitor.problem.startswith(
        "Temporal does not list its workers: disabled; the Temporal server must"
    )
    monitor.report(frozenset(), None)
    assert monitor.problem is None
    assert len(caplog.records) == 3
