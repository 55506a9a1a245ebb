"""Conformance checks that need a whole gateway: authentication, middleware, server (docs/streams.md)."""

import asyncio
import dataclasses
import gc
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from msgspec.structs import replace

from signalbox_core.events import CloudEvent
from signalbox_core.ids import new_run_id
from signalbox_gateway.app import Gateway, Parts
from signalbox_gateway.streaming.limits import StreamLimits
from support.assertions.eventually import eventually
from support.drivers.sse import sequences
from support.fakes.events import story
from support.process_memory import resident_bytes
from support.servers.gateway import secret_of, write_keys
from support.servers.streams import Reader, http_server, reading, serving

STREAM = "/v1/runs/run-1/stream"
MILESTONES = [event for event in story() if event.sequence is not None]
CYCLES = 1_000


@dataclass
class Served:
    gateway: Gateway
    parts: Parts
    origin: str
    folder: Path

    def caller(self, role: str | None = "admin") -> httpx2.AsyncClient:
        headers = key(role) if role else {}
        return httpx2.AsyncClient(base_url=self.origin, headers=headers, trust_env=False, timeout=60)


def key(role: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret_of(role)}"}


@pytest.fixture
def limits() -> StreamLimits:
    return StreamLimits(recheck=timedelta(seconds=1))


@pytest.fixture
def drain_s() -> float:
    return 1


@pytest.fixture
async def served(parts: Parts, tmp_path: Path, limits: StreamLimits, drain_s: float) -> AsyncIterator[Served]:
    await parts.redis.flushdb()
    settled = dataclasses.replace(parts, settings=replace(parts.settings, drain_s=drain_s))
    gateway = Gateway(settled, limits=limits)
    async with http_server(gateway.app(), gateway.drain) as (_, origin):
        yield Served(gateway, settled, origin, tmp_path)


async def test_check_01_intermediaries_may_not_cache_buffer_or_compress_it(served: Served) -> None:
    await served.parts.streams.append_many(MILESTONES)
    async with reading(served.origin, STREAM, {**key("viewer"), "accept-encoding": "gzip, br"}) as reader:
        await reader.until_over()
    assert reader.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert reader.headers["cache-control"] == "no-store, no-transform"
    assert reader.headers["x-accel-buffering"] == "no"
    assert "content-length" not in reader.headers
    assert "content-encoding" not in reader.headers


async def test_check_17_a_refusal_does_not_disclose_what_exists(served: Served) -> None:
    await served.parts.streams.append_many(MILESTONES)
    async with (
        served.caller(None) as nobody,
        served.caller("nobody") as powerless,
        served.caller("stranger") as stranger,
    ):
        answers = [await nobody.get(path) for path in (STREAM, "/v1/runs/none/stream", "/v1/stream?all=1")]
        forbidden = [
            await powerless.get(path) for path in (STREAM, "/v1/runs/none/stream", "/v1/stream?all=1")
        ]
        theirs, none = await stranger.get(STREAM), await stranger.get("/v1/runs/run-9/stream")
    assert [answer.status_code for answer in answers] == [401] * 3
    assert [answer.status_code for answer in forbidden] == [403] * 3
    assert answers[0].json()["detail"] == answers[1].json()["detail"]
    assert (theirs.status_code, none.status_code) == (404, 404)
    assert theirs.text.replace("run-1", "run-9") == none.text


async def test_check_18_a_run_that_was_just_started_is_never_unknown(served: Served) -> None:
    async with served.caller() as caller:
        unknown = await caller.get(f"/v1/runs/{new_run_id('echo')}/stream")
        run_id = (await caller.post("/v1/runs", json={"pipeline": "echo", "input": {"text": "hi"}})).json()[
            "run_id"
        ]
        async with reading(served.origin, f"/v1/runs/{run_id}/stream", key("viewer")) as reader:
            (snapshot,) = await reader.until(1)
    assert unknown.status_code == 404
    assert (reader.status, snapshot.event, snapshot.json["status"]) == (200, "snapshot", "running")


async def test_check_20_a_revoked_key_ends_only_its_own_streams(served: Served) -> None:
    await served.parts.streams.append(MILESTONES[0])
    async with (
        reading(served.origin, STREAM, key("viewer")) as revoked,
        reading(served.origin, STREAM, key("operator")) as other,
    ):
        await revoked.until(1)
        await other.until(1)
        write_keys(served.folder / "keys.json", without="viewer")
        await revoked.until_over(within_s=60)
        await served.parts.streams.append(MILESTONES[1])
        await other.until(2)
        assert not other.is_over
    async with served.caller("viewer") as caller:
        assert (await caller.get(STREAM)).status_code == 401


async def test_check_21_another_origin_is_given_no_wildcard(served: Served) -> None:
    await served.parts.streams.append_many(MILESTONES)
    async with served.caller("viewer") as caller:
        answer = await caller.get(STREAM, headers={"origin": "https://elsewhere.example"})
        asked = await caller.options(
            STREAM, headers={"origin": "https://elsewhere.example", "access-control-request-method": "GET"}
        )
    for headers in (answer.headers, asked.headers):
        assert headers.get("access-control-allow-origin") != "*"
        assert headers.get("access-control-allow-origin") != "https://elsewhere.example"


async def test_check_22_no_ticket_is_in_the_log(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await served.parts.streams.append_many(MILESTONES)
    async with served.caller("viewer") as caller:
        ticket = (await caller.post("/v1/stream-tickets", json={"runs": ["run-1"]})).json()["ticket"]
    for _ in range(2):
        async with reading(served.origin, f"{STREAM}?ticket={ticket}") as reader:
            assert (await reader.until_over())[-1].event == "end"
    async with reading(served.origin, f"/v1/runs/run-2/stream?ticket={ticket}") as other:
        await other.until_over()
    assert other.status == 404
    ours = [record for record in caplog.records if record.name.startswith("signalbox")]
    assert any(record.message == "request" for record in ours)
    assert ticket not in "".join(f"{record.getMessage()} {record.__dict__}" for record in ours)


async def test_check_24_disconnected_listeners_leak_nothing(served: Served) -> None:
    """1,000 connections, 50 at a time, each aborted in the middle of its stream."""
    await served.parts.streams.append(MILESTONES[0])
    host, port = str(urlsplit(served.origin).hostname), int(urlsplit(served.origin).port or 0)
    key = secret_of("viewer")
    request = f"GET {STREAM} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n\r\n".encode()

    async def come_and_go() -> None:
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(request)
        await reader.readuntil(b"event: snapshot")
        writer.transport.abort()

    async def cycles(count: int) -> None:
        for _ in range(count // 50):
            await asyncio.gather(*(come_and_go() for _ in range(50)))
        await eventually(lambda: served.gateway.hub.listener_count == 0)
        gc.collect()

    await cycles(200)
    await eventually(lambda: len(asyncio.all_tasks()) < 100)
    tasks, rss = len(asyncio.all_tasks()), resident_bytes()
    await cycles(CYCLES)
    assert served.gateway.hub.watched_runs == 0
    await eventually(lambda: len(asyncio.all_tasks()) <= tasks + 2)
    # A leak of one listener (12 KB) a connection would be more.
    assert resident_bytes() - rss < CYCLES * 8_000


@pytest.mark.parametrize("limits", [StreamLimits(listeners=1)])
async def test_check_27_over_capacity_browsers_retry_later_and_the_process_stays_healthy(
    served: Served,
) -> None:
    await served.parts.streams.append(MILESTONES[0])
    async with reading(served.origin, STREAM, key("viewer")) as first:
        await first.until(1)
        async with reading(served.origin, STREAM, key("viewer")) as second, served.caller(None) as caller:
            await second.until_over()
            health = await caller.get("/healthz")
    assert (second.status, second.text.startswith("retry: "), second.events) == (200, True, [])
    assert health.status_code == 200


# Long enough that the state in between is seen on a busy machine.
@pytest.mark.parametrize("drain_s", [5])
async def test_check_28_on_sigterm_readiness_fails_first_and_then_the_streams_end(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    await served.parts.streams.append(MILESTONES[0])
    opened = [reading(served.origin, STREAM, key("viewer")) for _ in range(20)]
    readers: list[Reader] = [await each.__aenter__() for each in opened]
    for reader in readers:
        await reader.until(1)
    draining = asyncio.ensure_future(served.gateway.drain())
    async with served.caller(None) as caller:
        ready = await caller.get("/readyz")
    still_open = sum(not reader.is_over for reader in readers)
    ends: set[int] = set()

    def all_over() -> bool:
        ends.add(sum(reader.is_over for reader in readers))
        return all(reader.is_over for reader in readers)

    await eventually(all_over)
    await draining
    for each in opened:
        await each.__aexit__(None, None, None)
    assert (ready.status_code, ready.json()["status"]) == (503, "unavailable")
    assert still_open > 0
    assert len(ends) > 2
    # An incomplete chunked body would be an error of the reader.
    assert [reader.error for reader in readers] == [None] * 20
    assert [
        record.message
        for record in caplog.records
        if record.levelno >= logging.ERROR and "ubsub" not in record.name
    ] == []


async def test_check_31_of_many_runs_one_without_permission_is_denied(served: Served) -> None:
    await served.parts.streams.append_many(MILESTONES)
    await served.parts.streams.append_many(
        [event for event in story("theirs", "other") if event.sequence is not None]
    )
    async with reading(served.origin, "/v1/stream?run=run-1&run=theirs", key("viewer")) as reader:
        events = await reader.until_over()
    assert [event.json for event in events if event.event == "denied"] == [
        {"runid": "theirs", "code": "unknown_run"}
    ]
    assert sequences(
        event for event in events if event.json["runid" if event.event != "snapshot" else "run_id"] == "run-1"
    ) == list(range(1, 10))


async def test_check_32_events_without_listeners_are_sent_later(served: Served) -> None:
    tale: list[CloudEvent] = MILESTONES
    await served.parts.streams.append_many(tale[:2])
    async with reading(served.origin, STREAM, key("viewer")) as first:
        await first.until(1)
        await served.parts.streams.append(tale[2])
        await first.until(2)
    await eventually(lambda: served.gateway.hub.listener_count == 0)
    await served.parts.streams.append_many(tale[3:])
    async with reading(served.origin, STREAM, {**key("viewer"), "last-event-id": first.ids[-1]}) as second:
        events = await second.until_over()
    assert sequences(events) == list(range(4, 10))


async def test_check_33_the_bytes_are_the_same_behind_authentication_and_logging(served: Served) -> None:
    await served.parts.streams.append_many(MILESTONES)
    epoch = (await served.parts.streams.read("acme:run-1", None, 1)).epoch
    header = {"last-event-id": f"{epoch}:0"}
    async with serving(served.parts.redis) as bare, reading(bare.origin, STREAM, header) as plain:
        await plain.until_over()
        async with reading(served.origin, STREAM, {**key("viewer"), **header}) as behind:
            await behind.until_over()
    assert plain.text.partition("\n")[2] == behind.text.partition("\n")[2]
    assert len(plain.ids) == 9
