"""The autoscaler looks, records and says so; it launches nothing."""

from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from temporalio.api.enums.v1 import WorkerStatus
from temporalio.api.worker.v1 import WorkerHeartbeat

from signalbox_autoscaler.app import create_app, render
from signalbox_autoscaler.backlog import is_alive
from signalbox_autoscaler.decisions import MAX_KEPT, Backlog, Ledger, decide
from signalbox_autoscaler.loop import Loop
from signalbox_core.errors import Unavailable

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class FakeEye:
    def __init__(self, *backlogs: Backlog) -> None:
        self.backlogs = list(backlogs)
        self.away = False

    async def look(self) -> list[Backlog]:
        if self.away:
            raise Unavailable("nobody there")
        return self.backlogs


def backlog(queue: str = "sample", *, activities: int = 0) -> Backlog:
    return Backlog(queue=queue, workflow_tasks=1, activities=activities, oldest_s=2.5, workers=1)


def client_of(loop: Loop, ledger: Ledger) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(create_app(loop, ledger)), base_url="http://autoscaler")


def test_a_backlog_of_any_size_launches_nothing_yet() -> None:
    record = decide(backlog(activities=100_000), NOW)

    assert (record.launches, record.reason) == (0, "observing")


async def test_decisions_come_newest_first_and_by_queue() -> None:
    ledger, eye, times = Ledger(), FakeEye(backlog("a"), backlog("b")), iter(NOW + timedelta(seconds=n) for n in range(10))
    loop = Loop(eye, ledger, every_s=5, clock=lambda: next(times))
    await loop.look_once()
    await loop.look_once()

    async with client_of(loop, ledger) as client:
        found = (await client.get("/v1/decisions", params={"queue": "a"})).json()["decisions"]

    assert [item["at"] for item in found] == ["2026-01-01T00:00:01Z", "2026-01-01T00:00:00Z"]
    assert found[0]["reason"] == "observing"
    assert found[0]["backlog"] == {"queue": "a", "workflow_tasks": 1, "activities": 0, "oldest_s": 2.5, "workers": 1}


@pytest.mark.parametrize("limit", ["0", "-1", "many", "1001"])
async def test_a_wrong_limit_is_a_problem_that_names_it(limit: str) -> None:
    async with client_of(Loop(FakeEye(), Ledger(), every_s=5), Ledger()) as client:
        answer = await client.get("/v1/decisions", params={"limit": limit})

    assert (answer.status_code, answer.json()["field"]) == (400, "limit")


async def test_readiness_follows_temporal() -> None:
    ledger, eye, now = Ledger(), FakeEye(backlog()), [NOW]
    loop = Loop(eye, ledger, every_s=5, clock=lambda: now[0])
    async with client_of(loop, ledger) as client:
        before = (await client.get("/readyz")).status_code
        await loop.look_once()
        seen = (await client.get("/readyz")).status_code
        eye.away = True
        now[0] += timedelta(seconds=60)
        await loop.look_once()
        lost = (await client.get("/readyz")).status_code

    assert (before, seen, lost) == (503, 200, 503)
    assert (loop.looks, loop.failures) == (2, 1)


async def test_metrics_name_each_queue() -> None:
    ledger = Ledger()
    loop = Loop(FakeEye(backlog('odd"name', activities=7)), ledger, every_s=5)
    await loop.look_once()

    assert 'signalbox_autoscaler_backlog{queue="odd\\"name",kind="activity"} 7' in render(loop, ledger)


def test_old_decisions_are_forgotten() -> None:
    ledger = Ledger()
    for number in range(MAX_KEPT + 5):
        ledger.add([decide(backlog(str(number)), NOW)])

    assert len(ledger.newest(queue=None, limit=10_000)) == MAX_KEPT
    assert ledger.newest(queue="0", limit=1) == []


def test_a_worker_that_stopped_beating_is_not_counted() -> None:
    heartbeat = WorkerHeartbeat(task_queue="sample", status=WorkerStatus.WORKER_STATUS_RUNNING)
    heartbeat.heartbeat_time.FromDatetime(NOW)

    assert is_alive(heartbeat, NOW + timedelta(seconds=5))
    assert not is_alive(heartbeat, NOW + timedelta(seconds=60))
