"""Streams on real sockets over a real Redis."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx2
import msgspec
import pytest
from msgspec.structs import replace
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from signalbox_core.errors import Unavailable
from signalbox_core.events import CloudEvent, Snapshot, fold
from signalbox_core.events.catalogue import StepProgress
from signalbox_core.streams import RedisRunStream
from signalbox_gateway.streaming.listener import MAX_BUFFERED_BYTES
from support.assertions.eventually import eventually
from support.drivers.sse import parse, sequences
from support.fakes.events import make_event, story
from support.servers.streams import Gateway, own_redis, reading, serving

MILESTONES = [event for event in story() if event.sequence is not None]
STREAM = "/v1/runs/run-1/stream"


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as client:
        await client.flushall()
        yield client


@pytest.fixture
async def gateway(redis: Redis) -> AsyncIterator[Gateway]:
    async with serving(redis) as gateway:
        yield gateway


async def test_check_06_14_a_listener_receives_the_whole_run_in_order_and_a_clean_end(
    gateway: Gateway,
) -> None:
    await gateway.streams.append(MILESTONES[0])
    async with reading(gateway.origin, STREAM) as reader:
        await reader.until(1)
        for event in MILESTONES[1:]:
            await gateway.streams.append(event)
        events = await reader.until_over()
    assert reader.text.startswith("retry: ")
    assert reader.names == ["snapshot", *["message"] * 8, "end"]
    assert sequences(events) == list(range(2, 10))


async def test_check_09_15_the_last_event_id_resumes_with_exactly_the_later_events(gateway: Gateway) -> None:
    await gateway.streams.append_many(MILESTONES)
    async with reading(gateway.origin, STREAM) as whole:
        await whole.until_over()
    async with reading(gateway.origin, STREAM, {"Last-Event-ID": whole.ids[2]}) as rest:
        await rest.until_over()
    assert rest.ids == whole.ids[3:]
    async with httpx2.AsyncClient(timeout=60) as client:
        over = await client.get(gateway.origin + STREAM, headers={"Last-Event-ID": whole.ids[-1]})
    assert (over.status_code, over.content) == (204, b"")


async def test_check_30_two_gateways_give_the_same_ids_in_the_same_order(
    redis: Redis, redis_url: str
) -> None:
    async with Redis.from_url(redis_url) as other_client, serving(redis) as one, serving(other_client) as two:
        await one.streams.append(MILESTONES[0])
        async with reading(one.origin, STREAM) as first, reading(two.origin, STREAM) as second:
            await first.until(1)
            await second.until(1)
            for number, event in enumerate(MILESTONES[1:]):
                await (one if number % 2 else two).streams.append(event)
            await first.until_over()
            await second.until_over()
    assert first.ids == second.ids
    assert len(first.ids) == 8


async def test_one_redis_connection_serves_all_runs_and_unsubscribes_unwatched_ones(
    gateway: Gateway, redis: Redis
) -> None:
    async def subscribers() -> list[int]:
        return [int(client["sub"]) for client in await redis.client_list() if int(client["sub"]) > 0]

    for number in range(5):
        await gateway.streams.append(replace(MILESTONES[0], runid=f"run-{number}", subject=f"run-{number}"))
    async with asyncio.TaskGroup() as group:
        watched = [reading(gateway.origin, f"/v1/runs/run-{number}/stream") for number in range(5)]
        readers = [await item.__aenter__() for item in watched]
        for reader in readers:
            group.create_task(reader.until(1))
    assert await subscribers() == [5]
    for item in watched:
        await item.__aexit__(None, None, None)
    await eventually(lambda: gateway.hub.listener_count == 0)

    async def nobody() -> bool:
        return await subscribers() == []

    await eventually(nobody)
    assert gateway.hub.watched_runs == 0


async def test_check_11_no_gap_and_no_duplicate_while_many_join_a_busy_run(gateway: Gateway) -> None:
    tale = [
        MILESTONES[0],
        *(replace(MILESTONES[1], sequence=number) for number in range(2, 300)),
        replace(MILESTONES[8], sequence=300),
    ]
    await gateway.streams.append(tale[0])

    async def listen(number: int) -> list[object]:
        await eventually(lambda: published >= number * 12)
        async with reading(gateway.origin, STREAM, {"Last-Event-ID": f"{epoch}:1"}) as reader:
            return sequences(await reader.until_over())

    published, epoch = 0, (await gateway.streams.read("acme:run-1", None)).epoch
    async with asyncio.TaskGroup() as group:
        listeners = [group.create_task(listen(number)) for number in range(20)]
        for event in tale[1:]:
            await gateway.streams.append(event)
            published += 1
    assert all(task.result() == list(range(2, 301)) for task in listeners)


async def test_check_29_a_restart_of_redis_loses_nothing(tmp_path: Path) -> None:
    async with (
        own_redis(tmp_path) as server,
        Redis.from_url(server.url) as client,
        serving(client) as gateway,
    ):
        await gateway.streams.append(MILESTONES[0])
        async with reading(gateway.origin, STREAM) as reader:
            await reader.until(1)
            server.kill()
            await eventually(lambda: not gateway.hub._channels.is_open("run-1"))
            server.start()
            await server.ready()
            for event in MILESTONES[1:]:
                await eventually(lambda event=event: _appended(gateway.streams, event))
            assert sequences(await reader.until_over()) == list(range(2, 10))


async def _appended(streams: RedisRunStream, event: CloudEvent) -> bool:
    try:
        await streams.append(event)
    except Unavailable:
        return False
    return True


async def test_check_29_a_stream_opened_while_redis_is_down_continues_afterwards(tmp_path: Path) -> None:
    async with (
        own_redis(tmp_path) as server,
        Redis.from_url(server.url) as client,
        serving(client) as gateway,
    ):
        await gateway.streams.append(MILESTONES[0])
        server.kill()
        async with reading(gateway.origin, STREAM) as reader:
            await eventually(lambda: reader.text.startswith("retry: "))
            assert reader.events == []
            server.start()
            await server.ready()
            assert (await reader.until(1))[0].event == "snapshot"


async def test_check_13_29_a_redis_that_lost_its_data_resets_the_listener_after_the_rebuild(
    gateway: Gateway, redis: Redis
) -> None:
    await gateway.streams.append_many(MILESTONES[:3])
    async with reading(gateway.origin, STREAM) as reader:
        await reader.until(1)
        await redis.flushall()
        assert await gateway.streams.append(MILESTONES[4]) == "parked"
        (gap,) = await gateway.streams.gaps(older_than=timedelta(0))
        published = Snapshot(run_id="run-1", tenant="acme")
        for event in MILESTONES[:4]:
            published = fold(published, event)
        await gateway.streams.rebuild(published, replaces=gap.epoch)
        await eventually(lambda: reader.names.count("snapshot") == 2)
        await gateway.streams.append_many(MILESTONES[5:])
        events = await reader.until_over()
    assert reader.names[:3] == ["snapshot", "reset", "snapshot"]
    assert events[-1].event == "end"
    assert sequences(events)[-4:] == [6, 7, 8, 9]


async def test_progress_reaches_listeners_and_the_next_snapshot_and_has_no_id(gateway: Gateway) -> None:
    await gateway.streams.append_many(MILESTONES[:2])
    async with reading(gateway.origin, STREAM) as reader:
        await reader.until(1)
        await gateway.streams.progress(
            make_event("step.progress", StepProgress(step="read", percent=42.0), second=5)
        )
        events = await reader.until(2)
        assert (events[1].id, events[1].json["type"]) == (None, "dev.signalbox.step.progress.v1")
    async with reading(gateway.origin, STREAM) as late:
        (snapshot,) = await late.until(1)
    assert '"percent":42.0' in snapshot.data


async def test_a_drain_ends_streams_with_a_complete_body_and_no_error_in_the_log(
    redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    async def drain(gateway: Gateway) -> None:
        await gateway.hub.drain(timedelta(seconds=0.3))

    async with asyncio.TaskGroup(), serving(redis, drain=drain) as gateway:
        await gateway.streams.append(MILESTONES[0])
        contexts = [reading(gateway.origin, STREAM) for _ in range(50)]
        readers = [await context.__aenter__() for context in contexts]
        for reader in readers:
            await reader.until(1)
    for reader in readers:
        # An incomplete chunked body would be an error here.
        await reader.until_over()
    for context in contexts:
        await context.__aexit__(None, None, None)
    assert [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")] == []


async def test_check_25_26_a_stalled_reader_slows_no_other_and_catches_up(redis: Redis) -> None:
    text = msgspec.Raw(msgspec.json.encode({"step": "read", "title": "x" * 4_000}))
    tale = [
        MILESTONES[0],
        *(replace(MILESTONES[1], sequence=number, data=text) for number in range(2, 1_000)),
        replace(MILESTONES[8], sequence=1_000),
    ]
    # It stays connected, however long the appending takes.
    async with serving(redis, stalled_ms=600_000) as gateway:
        await gateway.streams.append(tale[0])
        cursor = f"{(await gateway.streams.read('acme:run-1', None)).epoch}:1"
        reader, writer = await asyncio.open_connection(
            *gateway.origin.removeprefix("http://").split(":"), limit=1_024
        )
        writer.write(f"GET {STREAM} HTTP/1.0\r\nLast-Event-ID: {cursor}\r\n\r\n".encode())
        await eventually(lambda: gateway.hub.listener_count == 1)
        async with reading(gateway.origin, STREAM, {"Last-Event-ID": cursor}) as quick:
            await eventually(lambda: gateway.hub.listener_count == 2)
            for event in tale[1:]:
                await gateway.streams.append(event)
            assert sequences(await quick.until_over()) == list(range(2, 1_001))
        await eventually(lambda: gateway.hub.listener_count == 1)
        (stalled,) = gateway.hub._listeners
        assert stalled._bytes <= MAX_BUFFERED_BYTES
        async with asyncio.timeout(60):
            published = (await reader.read()).decode().partition("\r\n\r\n")[2]
        assert sequences(parse(published)) == list(range(2, 1_001))
        writer.close()


async def test_check_25_a_reader_that_reads_nothing_is_disconnected(redis: Redis) -> None:
    async with serving(redis, stalled_ms=500) as gateway:
        await gateway.streams.append(MILESTONES[0])
        cursor = f"{(await gateway.streams.read('acme:run-1', None)).epoch}:1"
        reader, writer = await asyncio.open_connection(
            *gateway.origin.removeprefix("http://").split(":"), limit=1_024
        )
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(f"GET {STREAM} HTTP/1.0\r\nLast-Event-ID: {cursor}\r\n\r\n".encode())
        await eventually(lambda: gateway.hub.listener_count == 1)
        text = msgspec.Raw(msgspec.json.encode({"step": "read", "title": "x" * 200_000}))
        for number in range(2, 60):
            await gateway.streams.append(replace(MILESTONES[1], sequence=number, data=text))
        await eventually(lambda: gateway.hub.listener_count == 0, within_s=60)
        assert gateway.hub.watched_runs == 0
        writer.close()


async def test_check_04_05_head_and_post(gateway: Gateway) -> None:
    async with httpx2.AsyncClient(timeout=60) as client:
        head = await client.head(gateway.origin + STREAM)
        post = await client.post(gateway.origin + STREAM)
    assert (head.status_code, head.content) == (200, b"")
    assert (post.status_code, post.headers["allow"]) == (405, "GET, HEAD")


async def test_the_keys_of_an_ended_run_expire(redis: Redis) -> None:
    streams = RedisRunStream(redis, retention=timedelta(hours=1))
    await streams.append_many(MILESTONES[:8])
    keys = [key async for key in redis.scan_iter("signalbox:run:*")]
    assert {await redis.ttl(key) for key in keys} == {-1}
    await streams.append(MILESTONES[8])
    ttls = [await redis.ttl(key) async for key in redis.scan_iter("signalbox:run:*")]
    assert ttls
    assert all(3500 < ttl <= 3600 for ttl in ttls)


async def test_the_log_is_bounded_and_a_trimmed_cursor_is_lost(redis: Redis) -> None:
    streams = RedisRunStream(redis, max_frames=100)
    await streams.append_many(
        [MILESTONES[0], *(replace(MILESTONES[1], sequence=number) for number in range(2, 1_001))]
    )
    assert await redis.xlen("signalbox:run:{acme:run-1}:log") <= 200
    assert (await streams.read("acme:run-1", None)).lost


async def test_a_decoding_redis_client_is_rejected_with_the_remedy(redis_url: str) -> None:
    async with Redis.from_url(redis_url, decode_responses=True) as client:
        with pytest.raises(ValueError, match="decode_responses=False"):
            RedisRunStream(client)


async def test_a_redis_without_memory_is_unavailable_and_a_broken_key_is_a_bug(tmp_path: Path) -> None:
    async with own_redis(tmp_path) as server, Redis.from_url(server.url) as client:
        streams = RedisRunStream(client)
        await client.config_set("maxmemory", "1")
        with pytest.raises(Unavailable, match="run-1"):
            await streams.append(MILESTONES[0])
        await client.config_set("maxmemory", "0")
        await client.set("signalbox:run:{acme:run-1}:meta", "not a hash")
        with pytest.raises(ResponseError):
            await streams.append(MILESTONES[0])
