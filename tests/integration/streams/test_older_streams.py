"""Streams that a release without run keys wrote to Redis are read and continued under their old names."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from signalbox_core.streams import AppendOutcome, RedisRunStream
from signalbox_core.streams.keys import GAPS, inbox_key, inbox_order_key, open_runs_key
from support.fakes.events import story

MILESTONES = [event for event in story() if event.sequence is not None]
INDEXES = {"inbox": inbox_key("acme"), "open": open_runs_key("acme")}


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as client:
        await client.flushall()
        yield client


@pytest.fixture
async def older(redis: Redis) -> RedisRunStream:
    """The streams after six events of acme's `run-1`, as the earlier release named them."""
    await RedisRunStream(redis).append_many(MILESTONES[:6])
    for part in ("meta", "log", "newest"):
        await redis.rename(f"signalbox:run:{{acme:run-1}}:{part}", f"signalbox:run:{{run-1}}:{part}")
    entry = json.loads(await redis.hget(INDEXES["inbox"], "acme:run-1/ok") or "{}")
    await redis.hdel(INDEXES["inbox"], "acme:run-1/ok")
    await redis.hset(INDEXES["inbox"], "run-1/ok", json.dumps(entry | {"run_id": "run-1"}))
    await redis.delete(inbox_order_key("acme"))
    await redis.zrem(INDEXES["open"], "acme:run-1")
    await redis.zadd(INDEXES["open"], {"run-1": 1.0})
    return RedisRunStream(redis)


async def test_an_older_stream_goes_on(older: RedisRunStream) -> None:
    assert await older.locate("acme", "run-1") == "run-1"
    assert await older.locate("other", "run-1") == "other:run-1"
    (item,) = (await older.inbox("acme")).items
    assert (item.run_id, await older.open_runs("acme", 10)) == ("run-1", ["run-1"])

    outcomes = await older.append_many(MILESTONES[5:])

    assert outcomes == [AppendOutcome.DROPPED, *[AppendOutcome.APPENDED] * 3]
    history = await older.read("run-1", None)
    assert ([frame.sequence for frame in history.frames], history.ended) == (list(range(1, 10)), True)
    assert ((await older.inbox("acme")).items, await older.open_runs("acme", 10)) == ((), [])


async def test_another_tenant_gets_a_stream_of_its_own(older: RedisRunStream) -> None:
    await older.append_many([replace(event, tenantid="other") for event in MILESTONES])
    assert (await older.read("run-1", None)).top == 6
    assert (await older.read("other:run-1", None)).ended


async def test_a_stream_under_the_run_key_takes_precedence(redis: Redis, older: RedisRunStream) -> None:
    await redis.rename("signalbox:run:{run-1}:meta", "aside")
    await older.append(MILESTONES[0])
    await redis.rename("aside", "signalbox:run:{run-1}:meta")
    assert await RedisRunStream(redis).locate("acme", "run-1") == "acme:run-1"


async def test_a_gap_of_an_older_stream_names_its_run(redis: Redis, older: RedisRunStream) -> None:
    await older.append(MILESTONES[7])
    (gap,) = await older.gaps(older_than=timedelta(0))
    assert (gap.key, gap.run_id, gap.tenant, gap.top) == ("run-1", "run-1", "acme", 6)
    assert await redis.smembers(GAPS) == {b"run-1"}


async def test_an_inbox_without_an_order_is_ordered(redis: Redis) -> None:
    await RedisRunStream(redis).append_many(
        [replace(event, runid=run) for run in ("run-1", "run-2", "run-3") for event in MILESTONES[:6]]
    )
    await redis.zrem(inbox_order_key("acme"), "acme:run-1/ok", "acme:run-3/ok")
    await redis.zadd(inbox_order_key("acme"), {"acme:run-0/ok": 10**15})
    page = await RedisRunStream(redis).inbox("acme", limit=2)
    assert [item.run_id for item in page.items] == ["run-1", "run-2"]
    assert page.total == 3
