"""Presence: who has a question open, reported over HTTP and announced on the tenant's stream."""

import httpx2
import pytest
from redis.asyncio import Redis

from signalbox_core.streams.keys import presence_key
from signalbox_gateway.app import Gateway, Parts
from support.assertions.eventually import eventually
from support.drivers.sse import SseEvent
from support.fakes.events import story
from support.servers.gateway import client_of, secret_of
from support.servers.streams import http_server, reading

PRESENCE = "/v1/approvals/presence"
STREAM = "/v1/stream?all=1"


@pytest.fixture
async def gateway(parts: Parts) -> Gateway:
    await parts.redis.flushdb()
    milestones = [event for event in story("run-1") if event.sequence is not None]
    place = next(n for n, event in enumerate(milestones) if event.name == "approval.requested") + 1
    await parts.streams.append_many(milestones[:place])
    return Gateway(parts)


def key(role: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret_of(role)}"}


async def report(caller: httpx2.AsyncClient, state: str, *, approval: str = "ok") -> httpx2.Response:
    return await caller.post(f"/v1/runs/run-1/approvals/{approval}/presence", json={"state": state})


def question(*viewers: dict[str, object]) -> dict[str, object]:
    return {"run_id": "run-1", "approval_id": "ok", "viewers": list(viewers)}


def presence_events(events: list[SseEvent]) -> list[object]:
    return [event.json for event in events if event.event == "presence"]


async def test_a_report_is_listed_until_the_person_leaves(gateway: Gateway) -> None:
    app = gateway.app()
    async with client_of(app, "viewer") as viewer, client_of(app, "approver") as approver:
        names = [(await caller.get("/v1/sessions")).json()["name"] for caller in (viewer, approver)]
        assert (await viewer.get(PRESENCE)).json() == {"questions": []}

        await report(viewer, "viewing")
        answer = await report(approver, "deciding")
        expected = [{"name": names[0], "deciding": False}, {"name": names[1], "deciding": True}]
        expected.sort(key=lambda item: str(item["name"]))
        assert answer.json() == {"questions": [question(*expected)]}
        assert (await viewer.get(PRESENCE)).json() == answer.json()

        await report(viewer, "left")
        left = await report(approver, "left")
        assert left.json() == (await viewer.get(PRESENCE)).json() == {"questions": []}


async def test_presence_expires(gateway: Gateway, parts: Parts) -> None:
    redis: Redis = parts.redis
    async with client_of(gateway.app(), "viewer") as viewer:
        await report(viewer, "viewing")
    assert 0 < await redis.pttl(presence_key("acme")) <= 40_000


async def test_changes_are_announced_to_the_streams_of_the_tenant_alone(gateway: Gateway) -> None:
    async with (
        http_server(gateway.app(), gateway.drain) as (_, origin),
        reading(origin, STREAM, key("viewer")) as reader,
        reading(origin, STREAM, key("stranger")) as stranger,
        httpx2.AsyncClient(base_url=origin, headers=key("approver"), timeout=60) as approver,
    ):
        await reader.until(1)
        await stranger.until(1)
        for state in ("viewing", "viewing", "deciding", "left"):
            assert (await report(approver, state)).status_code == 200
        await eventually(lambda: len(presence_events(reader.events)) == 3, within_s=30)
        name = (await approver.get("/v1/sessions")).json()["name"]
    assert presence_events(reader.events) == [
        question({"name": name, "deciding": False}),
        question({"name": name, "deciding": True}),
        question(),
    ]
    assert presence_events(stranger.events) == []


async def test_an_unknown_question_and_an_unknown_state_are_refused(gateway: Gateway) -> None:
    async with client_of(gateway.app(), "viewer") as viewer:
        unknown = await report(viewer, "viewing", approval="other")
        invalid = await report(viewer, "asleep")
        assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_approval")
        assert (invalid.status_code, invalid.json()["field"]) == (422, "state")
        assert (await viewer.get(PRESENCE)).json() == {"questions": []}


async def test_another_tenant_neither_sees_nor_reports_presence(gateway: Gateway) -> None:
    app = gateway.app()
    async with client_of(app, "viewer") as viewer, client_of(app, "stranger") as stranger:
        await report(viewer, "viewing")
        assert (await stranger.get(PRESENCE)).json() == {"questions": []}
        assert (await report(stranger, "viewing")).status_code == 404
