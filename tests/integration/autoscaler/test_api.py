"""The autoscaler's HTTP pages over a real log."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from signalbox_autoscaler.app import create_app
from signalbox_autoscaler.audit.decision_log import DecisionLog
from signalbox_autoscaler.audit.records import Made, record_of
from signalbox_autoscaler.metrics import Meters
from signalbox_autoscaler.sizing import decide
from signalbox_core.redis.client import open_redis
from support.fakes.snapshots import TICK, Ticks
from support.servers.backends import free_port


class Watching:
    """A loop that leads and sees."""

    leads = True
    queues: ClassVar[list[str]] = ["invoices"]
    problem: str | None = None

    def sees(self) -> bool:
        return True


def client_of(log: DecisionLog, meters: Meters | None = None) -> httpx2.AsyncClient:
    app = create_app(Watching(), log, meters or Meters())
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://autoscaler")


@pytest.fixture
async def log(redis_url: str) -> AsyncIterator[DecisionLog]:
    async with open_redis(redis_url) as redis:
        yield DecisionLog(redis)


async def told(log: DecisionLog, meters: Meters) -> tuple[str, datetime]:
    """A light load, then a launch, written down; the queue, and when the launch was decided."""
    queue = f"queue-{uuid.uuid4().hex[:8]}"
    ticks = Ticks(queue=queue)
    ticks.now = at = datetime.now(UTC) - timedelta(seconds=60)
    ticks.learn()
    for _ in range(2):
        at = ticks.now
        snapshot = ticks.snapshot(activities=20_000, workers=(ticks.base(used=200),))
        decision = decide(ticks.policy, ticks.state, snapshot, at)
        made = Made(policy=ticks.policy, state=ticks.state, snapshot=snapshot, decision=decision, epoch=1)
        ticks.state, ticks.now = decision.state, at + TICK
        meters.decided(made)
        await log.append([record_of(made, with_state=True)])
    return queue, at


async def test_a_decision_is_explained_with_those_before_it(log: DecisionLog) -> None:
    queue, at = await told(log, Meters())
    async with client_of(log) as client:
        now = (await client.get("/v1/explain", params={"queue": queue})).json()
        earlier = await client.get(
            "/v1/explain", params={"queue": queue, "at": (at - timedelta(seconds=3)).isoformat()}
        )
        listed = (await client.get("/v1/decisions", params={"queue": queue, "limit": 1})).json()["decisions"]

    assert now["sentence"].startswith("launched ")
    assert now["terms"]["backlog"] == 20_000
    assert [item["sentence"] for item in now["before"]] == [earlier.json()["sentence"]]
    assert earlier.json()["before"] == []
    assert [record["sentence"] for record in listed] == [now["sentence"]]


@pytest.mark.parametrize(
    ("path", "status", "field"),
    [
        ("/v1/explain", 400, "queue"),
        ("/v1/explain?queue=a&at=yesterday", 400, "at"),
        ("/v1/explain?queue=a&at=2026-01-01T00:00:00", 400, "at"),
        ("/v1/explain?queue=unheard-of", 404, "queue"),
        ("/v1/explain?queue=unheard-of&at=1950-01-01T00:00:00Z", 404, "queue"),
        ("/v1/decisions?limit=0", 400, "limit"),
        ("/v1/decisions?limit=-1", 400, "limit"),
        ("/v1/decisions?limit=1001", 400, "limit"),
        ("/v1/decisions?limit=99999999999999999999", 400, "limit"),
        ("/v1/decisions?limit=many", 400, "limit"),
    ],
)
async def test_a_wrong_question_is_a_problem_that_names_the_field(
    log: DecisionLog, path: str, status: int, field: str
) -> None:
    async with client_of(log) as client:
        answer = await client.get(path)

    assert (answer.status_code, answer.json()["field"]) == (status, field)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_without_redis_decisions_are_unavailable_and_health_is_not() -> None:
    async with (
        open_redis(f"redis://127.0.0.1:{free_port()}/0") as away,
        client_of(DecisionLog(away)) as client,
    ):
        answer, health = await client.get("/v1/decisions"), await client.get("/healthz")

    assert (answer.status_code, answer.json()["code"], health.status_code) == (503, "unavailable", 200)


async def test_missing_heartbeats_degrade_readiness_and_are_explained(log: DecisionLog) -> None:
    watching = Watching()
    watching.problem = "no worker heartbeat seen on invoices"
    app = create_app(watching, log, Meters())
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app), base_url="http://autoscaler"
    ) as client:
        degraded = await client.get("/readyz")
        watching.problem = None
        ready = await client.get("/readyz")

    assert (degraded.status_code, degraded.json()["status"]) == (200, "degraded")
    assert degraded.json()["problem"] == "no worker heartbeat seen on invoices"
    assert (ready.json()["status"], ready.json()["problem"]) == ("ready", None)


async def test_metrics_count_what_was_launched_by_queue(log: DecisionLog) -> None:
    meters = Meters()
    queue, _ = await told(log, meters)
    async with client_of(log, meters) as client:
        text = (await client.get("/metrics")).text

    samples = {
        (sample.name, sample.labels.get("action")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.labels.get("queue") == queue and sample.labels.get("kind", "activity") == "activity"
    }
    assert samples["signalbox_autoscaler_backlog", None] == 20_000
    assert samples["signalbox_autoscaler_decisions_total", "launch"] == 2
    assert samples["signalbox_autoscaler_launched_workers_total", None] > 0
