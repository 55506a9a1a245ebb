"""The autoscaler's HTTP API over a real decision log."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from signalbox_autoscaler.app import create_app
from signalbox_autoscaler.audit.decision_log import DecisionLog
from signalbox_autoscaler.audit.records import Evaluation, build_record
from signalbox_autoscaler.metrics import AutoscalerMetrics
from signalbox_autoscaler.sizing import decide
from signalbox_core.redis.client import open_redis
from support.fakes.snapshots import TICK, Ticks
from support.servers.backends import free_port


class ConnectedLoop:
    """A loop that leads and is connected."""

    leads = True
    queues: ClassVar[list[str]] = ["invoices"]
    problem: str | None = None

    def is_connected(self) -> bool:
        return True


def client_of(log: DecisionLog, metrics: AutoscalerMetrics | None = None) -> httpx2.AsyncClient:
    app = create_app(ConnectedLoop(), log, metrics or AutoscalerMetrics())
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://autoscaler")


@pytest.fixture
async def log(redis_url: str) -> AsyncIterator[DecisionLog]:
    async with open_redis(redis_url) as redis:
        yield DecisionLog(redis)


async def record_two_decisions(log: DecisionLog, metrics: AutoscalerMetrics) -> tuple[str, datetime]:
    """Record a light load, then a launch; returns the queue and the time of the launch decision."""
    queue = f"queue-{uuid.uuid4().hex[:8]}"
    ticks = Ticks(queue=queue)
    ticks.now = at = datetime.now(UTC) - timedelta(seconds=60)
    ticks.learn()
    for _ in range(2):
        at = ticks.now
        snapshot = ticks.snapshot(activities=20_000, workers=(ticks.base(used=200),))
        decision = decide(ticks.policy, ticks.state, snapshot, at)
        evaluation = Evaluation(
            policy=ticks.policy,
            state=ticks.state,
            snapshot=snapshot,
            decision=decision,
            epoch=1,
        )
        ticks.state, ticks.now = decision.state, at + TICK
        metrics.record_evaluation(evaluation)
        await log.append([build_record(evaluation, with_state=True)])
    return queue, at


async def test_a_decision_is_explained_together_with_earlier_ones(
    log: DecisionLog,
) -> None:
    queue, at = await record_two_decisions(log, AutoscalerMetrics())
    async with client_of(log) as client:
        now = (await client.get("/v1/explain", params={"queue": queue})).json()
        earlier = await client.get(
            "/v1/explain",
            params={"queue": queue, "at": (at - timedelta(seconds=3)).isoformat()},
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
        ("/v1/explain", 422, "queue"),
        ("/v1/explain?queue=a&at=yesterday", 422, "at"),
        ("/v1/explain?queue=a&at=2026-01-01T00:00:00", 422, "at"),
        ("/v1/explain?queue=unheard-of", 404, "queue"),
        ("/v1/explain?queue=unheard-of&at=1950-01-01T00:00:00Z", 404, "queue"),
        ("/v1/decisions?limit=0", 422, "limit"),
        ("/v1/decisions?limit=-1", 422, "limit"),
        ("/v1/decisions?limit=1001", 422, "limit"),
        ("/v1/decisions?limit=99999999999999999999", 422, "limit"),
        ("/v1/decisions?limit=many", 422, "limit"),
    ],
)
async def test_an_invalid_request_is_a_problem_that_names_the_field(
    log: DecisionLog, path: str, status: int, field: str
) -> None:
    async with client_of(log) as client:
        response = await client.get(path)

    assert (response.status_code, response.json()["field"]) == (status, field)
    assert response.headers["content-type"] == "application/problem+json"


async def test_without_redis_decisions_are_unavailable_and_health_is_ok() -> None:
    async with (
        open_redis(f"redis://127.0.0.1:{free_port()}/0") as unavailable,
        client_of(DecisionLog(unavailable)) as client,
    ):
        response, health = (
            await client.get("/v1/decisions"),
            await client.get("/healthz"),
        )

    assert (response.status_code, response.json()["code"], health.status_code) == (
        503,
        "unavailable",
        200,
    )


async def test_missing_heartbeats_degrade_readiness_and_are_explained(log: DecisionLog) -> None:
    loop = ConnectedLoop()
    loop.problem = "no worker heartbeat seen on invoices"
    app = create_app(loop, log, AutoscalerMetrics())
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app), base_url="http://autoscaler"
    ) as client:
        degraded = await client.get("/readyz")
        loop.problem = None
        ready = await client.get("/readyz")

    assert (degraded.status_code, degraded.json()["status"]) == (200, "degraded")
    assert degraded.json()["problem"] == "no worker heartbeat seen on invoices"
    assert (ready.json()["status"], ready.json()["problem"]) == ("ready", None)


async def test_metrics_count_launches_by_queue(log: DecisionLog) -> None:
    metrics = AutoscalerMetrics()
    queue, _ = await record_two_decisions(log, metrics)
    async with client_of(log, metrics) as client:
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
