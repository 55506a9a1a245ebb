"""`status:waiting`, `blocked` and `queued` in `GET /v1/runs?q=`, which the visibility store does not know."""

import hashlib
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx2
import pytest
from msgspec.structs import replace

from signalbox_core import base64url
from signalbox_core.events.snapshot import BlockedState, QueuedState
from signalbox_core.ids import run_key
from signalbox_gateway.app import Gateway, Parts
from signalbox_gateway.runs.conditions import CONDITIONS_KEY, RunCondition, RunConditions
from support.assertions.eventually import beside, eventually
from support.drivers.api_calls import started
from support.fakes.events import story
from support.servers.gateway import client_of

NOW = datetime(2026, 11, 30, tzinfo=UTC)
BLOCKED = BlockedState(code="no_worker", reason="start workers", since=NOW)
QUEUED = QueuedState(since=NOW, ahead=4, reason="behind 4 runs")


@pytest.fixture
async def gateway(parts: Parts) -> AsyncIterator[Gateway]:
    """A gateway that reads the conditions, of which an earlier test left none."""
    await parts.redis.delete(CONDITIONS_KEY)
    opened = Gateway(parts)
    async with beside(opened.loops()["conditions"]()):
        yield opened


@pytest.fixture
async def api(gateway: Gateway) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(gateway.app()) as client:
        yield client


async def record_question(parts: Parts, run_id: str) -> None:
    """Append the run's events up to its question to its stream, as the projector does."""
    events = [replace(event, tenantid="acme") for event in story(run_id) if event.sequence is not None]
    place = next(number for number, event in enumerate(events) if event.name == "approval.requested") + 1
    await parts.streams.append_many(events[:place])


async def page(api: httpx2.AsyncClient, query: str, **more: str | int) -> tuple[list[str], str | None]:
    answer = await api.get("/v1/runs", params={"q": query, **more})
    assert answer.status_code == 200, answer.text
    return [run["run_id"] for run in answer.json()["runs"]], answer.json()["next_cursor"]


async def all_pages(api: httpx2.AsyncClient, query: str, *, limit: int) -> list[str]:
    found, cursor = await page(api, query, limit=limit)
    while cursor is not None:
        more, cursor = await page(api, query, limit=limit, cursor=cursor)
        found += more
    return found


@pytest.mark.usefixtures("worker")
async def test_runs_that_wait_for_a_person_are_found_page_by_page(
    parts: Parts, gateway: Gateway, api: httpx2.AsyncClient
) -> None:
    mark = f"x{uuid.uuid4().hex}"
    *waiting, ended = [await started(api, text=mark, ask=True) for _ in range(4)]
    await api.post(f"/v1/runs/{ended}/cancel", json={})
    for run_id in (*waiting, ended):
        await record_question(parts, run_id)

    async def all_found() -> bool:
        return sorted(await all_pages(api, f"status:waiting {mark}", limit=1)) == sorted(waiting)

    await eventually(all_found, within_s=60, every_s=0.2)
    assert sorted((await page(api, f"status:waiting status:blocked {mark}"))[0]) == sorted(waiting)
    assert (await page(api, f"status:waiting other{mark}"))[0] == []
    assert (await page(api, f"status:blocked {mark}"))[0] == []
    async with client_of(gateway.app(), "stranger") as stranger:
        assert set((await page(stranger, "status:waiting"))[0]).isdisjoint(waiting)


@pytest.mark.usefixtures("worker")
async def test_blocked_and_queued_runs_are_found_while_they_are_open(
    parts: Parts, gateway: Gateway, api: httpx2.AsyncClient
) -> None:
    mark = f"x{uuid.uuid4().hex}"
    blocked, queued, ended = [await started(api, text=mark, ask=True) for _ in range(3)]
    await api.post(f"/v1/runs/{ended}/cancel", json={})
    recorded = RunConditions(parts.redis)
    for run_id, condition in [
        (blocked, RunCondition(tenant="acme", pipeline="echo", blocked=BLOCKED)),
        (queued, RunCondition(tenant="acme", pipeline="echo", queued=QUEUED)),
        (ended, RunCondition(tenant="acme", pipeline="echo", blocked=BLOCKED)),
    ]:
        await recorded.write(run_key("acme", run_id), condition)

    async def both_found() -> bool:
        return sorted((await page(api, f"status:blocked status:queued {mark}"))[0]) == sorted(
            [blocked, queued]
        )

    await eventually(both_found, within_s=60, every_s=0.2)
    assert await page(api, f"status:blocked {mark}") == ([blocked], None)
    assert await page(api, f"status:queued {mark}") == ([queued], None)
    assert await page(api, f"status:queued pipeline:echo started:1h {mark}") == ([queued], None)
    async with client_of(gateway.app(), "stranger") as stranger:
        assert set((await page(stranger, "status:blocked status:queued"))[0]).isdisjoint([blocked, queued])


async def test_states_that_no_search_can_combine_are_refused(api: httpx2.AsyncClient) -> None:
    refused = await api.get("/v1/runs", params={"q": "status:blocked status:failed"})
    foreign = await api.get("/v1/runs", params={"q": "status:blocked", "cursor": "bm9uZQ"})
    checksum = hashlib.sha256(b"acme\0\0\0status:blocked\0\xff").digest()[:6]
    forged = await api.get(
        "/v1/runs", params={"q": "status:blocked", "cursor": base64url.encode(checksum + b"\xff")}
    )

    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_query")
    assert "search for each of them" in refused.json()["detail"]
    for answer in (foreign, forged):
        assert (answer.status_code, answer.json()["field"]) == (422, "cursor")
