"""What `signalbox-admin doctor` reads from the /readyz of each service."""

import msgspec
import pytest

from signalbox_admin.checks.findings import Level, Reporter
from signalbox_admin.checks.services import assess_readiness

READY_AUTOSCALER = {
    "status": "ready",
    "temporal_available": True,
    "leads": False,
    "queues": [],
    "problem": None,
}
READY_WORKER = {
    "status": "ready",
    "temporal_available": True,
    "polling": True,
    "computing": True,
    "receiver_available": True,
    "task_queues": ["q"],
    "warnings": [],
}


@pytest.mark.parametrize(
    ("status", "reply", "level", "detail"),
    [
        pytest.param(200, READY_AUTOSCALER, Level.OK, "is ready", id="autoscaler"),
        pytest.param(
            200,
            READY_AUTOSCALER | {"status": "degraded", "problem": "no worker heartbeat seen on q"},
            Level.WARNING,
            "is ready but degraded: no worker heartbeat seen on q",
            id="degraded autoscaler",
        ),
        pytest.param(200, READY_WORKER, Level.OK, "is ready", id="worker"),
        pytest.param(
            200,
            READY_WORKER | {"receiver_available": False, "warnings": ["no secrets are configured"]},
            Level.WARNING,
            "is ready but degraded: the receiver does not respond; no secrets are configured",
            id="worker with warnings",
        ),
        pytest.param(
            503,
            READY_WORKER | {"status": "not ready", "temporal_available": False, "polling": False},
            Level.ERROR,
            "is not ready: Temporal does not respond; a task queue is not polled",
            id="worker without Temporal",
        ),
        pytest.param(200, {"redis": "ok", "keys": "ok"}, Level.OK, "is ready", id="receiver"),
        pytest.param(
            503,
            {"redis": "evicting", "keys": "missing"},
            Level.ERROR,
            "is not ready: redis: evicting; keys: missing",
            id="receiver without keys",
        ),
        pytest.param(
            200,
            {"dependencies": {"redis": {"ok": True}, "pubsub": {"ok": False}}},
            Level.WARNING,
            "is ready but degraded: pubsub: does not respond",
            id="gateway without Pub/Sub",
        ),
        pytest.param(
            200,
            {"status": "degraded"},
            Level.WARNING,
            "is ready but degraded: status degraded",
            id="no reason",
        ),
    ],
)
def test_readiness_is_assessed_by_status_and_by_what_the_reply_names(
    status: int, reply: dict[str, object], level: Level, detail: str
) -> None:
    finding = assess_readiness(Reporter("service"), status, msgspec.json.encode(reply))
    assert (finding.level, finding.detail) == (level, detail)
