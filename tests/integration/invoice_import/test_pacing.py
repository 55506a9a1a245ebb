"""Turns at the portal, decided in a real Redis: never too fast, never too many, whoever asks."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest
from redis.asyncio import Redis

from signalbox_core.errors import RateLimited, Unavailable
from signalbox_core.process.tasks import cancel_and_wait
from signalbox_core.redis.client import open_redis
from signalbox_pipelines.invoice_import.pacing.lanes import TRIP, Lane
from signalbox_pipelines.invoice_import.pacing.pacing import NotYet, Pacing, keys_of
from signalbox_pipelines.invoice_import.portal.faults import Busy, NoOriginal, SessionOver
from support.bench.paced_calls import AT_ONCE, SPACING_MS
from support.servers.backends import free_port

MST = "9901000019"
TESTS = Path(__file__).parents[2]


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = open_redis(redis_url)
    await client.delete(*keys_of(MST, "query"), *keys_of(MST, "export"))
    yield client
    await client.aclose()


def pacing_of(redis: Redis, *, spacing_ms: int = 0, in_flight: int = 2, lease_ms: int = 20_000) -> Pacing:
    return Pacing(
        redis, {"query": Lane(name="query", spacing_ms=spacing_ms, in_flight=in_flight, lease_ms=lease_ms)}
    )


async def interval_ms(redis: Redis) -> float:
    return float(await redis.hget(keys_of(MST, "query")[0], "interval") or 0)


async def fail(pacing: Pacing, error: Exception, **given: float) -> None:
    with pytest.raises(type(error)):
        async with pacing.turn(MST, "query", **given):
            raise error


async def test_four_processes_keep_spacing_and_calls_at_once(redis: Redis, redis_url: str) -> None:
    mst, turns = "9901000026", 15
    await redis.delete(f"seen:{mst}", f"now:{mst}", *keys_of(mst, "query"))
    command = [sys.executable, "-m", "support.bench.paced_calls", redis_url, mst, str(turns)]
    takers = [
        await asyncio.create_subprocess_exec(
            *command, cwd=TESTS, env={**os.environ, "PYTHONPATH": str(TESTS)}
        )
        for _ in range(4)
    ]

    assert [await taker.wait() for taker in takers] == [0] * 4

    seen = [tuple(map(int, entry.split())) for entry in await redis.lrange(f"seen:{mst}", 0, -1)]
    starts = sorted(started for started, _ in seen)
    assert len(starts) == 4 * turns
    assert min(later - earlier for earlier, later in pairwise(starts)) >= SPACING_MS
    assert max(under_way for _, under_way in seen) <= AT_ONCE


async def test_a_portal_that_says_how_long_stops_every_worker_for_that_long(redis: Redis) -> None:
    one, other = pacing_of(redis), pacing_of(redis)
    await fail(one, RateLimited("slow down", retry_after_s=7))

    for pacing in (one, other):
        with pytest.raises(NotYet) as told:
            async with pacing.turn(MST, "query"):
                pass
        assert 5 < told.value.retry_after_s <= 7
        assert told.value.stable_code == "portal_wait"


async def test_a_wait_below_a_second_is_sat_out(redis: Redis) -> None:
    pacing = pacing_of(redis, spacing_ms=100)
    starts = []
    for _ in range(3):
        async with pacing.turn(MST, "query") as turn:
            starts.append(turn.started_ms)

    assert all(later - earlier >= 100 for earlier, later in pairwise(starts))


async def test_calls_that_were_under_way_together_slow_down_once(redis: Redis) -> None:
    pacing = pacing_of(redis, spacing_ms=100, in_flight=3)
    both_started = asyncio.Barrier(2)

    async def one() -> None:
        async with pacing.turn(MST, "query"):
            await both_started.wait()
            raise Busy("no answer")

    outcomes = await asyncio.gather(one(), one(), return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [Busy, Busy]
    assert await interval_ms(redis) == pytest.approx(208)


async def test_twenty_good_calls_halve_the_spacing_again(redis: Redis) -> None:
    slow, well = pacing_of(redis, spacing_ms=0), pacing_of(redis, spacing_ms=0)
    await fail(slow, Busy("no answer"))
    before = await interval_ms(redis)
    for _ in range(20):
        await redis.hset(keys_of(MST, "query")[0], "next_at", 0)
        async with well.turn(MST, "query"):
            pass

    assert await interval_ms(redis) == pytest.approx(before / 2, rel=0.01)


async def test_an_answer_that_is_a_refusal_is_no_fault_of_the_portal(redis: Redis) -> None:
    pacing = pacing_of(redis, spacing_ms=1)
    await fail(pacing, NoOriginal("none"))
    await fail(pacing, SessionOver("over"))

    assert await interval_ms(redis) == pytest.approx(1.04)


async def test_a_portal_that_keeps_failing_is_left_alone_then_tried_by_one_call(redis: Redis) -> None:
    pacing = pacing_of(redis)
    for _ in range(TRIP):
        await redis.hset(keys_of(MST, "query")[0], "next_at", 0)
        await fail(pacing, Busy("no answer"))

    with pytest.raises(NotYet, match="resting") as told:
        async with pacing.turn(MST, "query"):
            pass
    assert told.value.retry_after_s > 20

    rested = {"resume_at": 0, "next_at": 0}
    await redis.hset(keys_of(MST, "query")[0], mapping=rested)
    async with pacing.turn(MST, "query"):
        with pytest.raises(NotYet, match="as many calls"):
            async with pacing_of(redis).turn(MST, "query", patience_s=0):
                pass
    await redis.hset(keys_of(MST, "query")[0], mapping=rested)
    async with pacing.turn(MST, "query"):
        await redis.hset(keys_of(MST, "query")[0], mapping=rested)
        async with pacing_of(redis).turn(MST, "query"):
            assert await redis.zcard(keys_of(MST, "query")[1]) == 2


async def test_the_place_of_a_worker_that_died_falls_free(redis: Redis) -> None:
    dead = pacing_of(redis, in_flight=1, lease_ms=150).turn(MST, "query")
    await dead.__aenter__()

    async with pacing_of(redis, in_flight=1).turn(MST, "query"):
        assert await redis.zcard(keys_of(MST, "query")[1]) == 1


async def test_a_cancelled_call_gives_its_place_back(redis: Redis) -> None:
    pacing, started = pacing_of(redis, in_flight=1), asyncio.Event()

    async def hang() -> None:
        async with pacing.turn(MST, "query"):
            started.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hang())
    await started.wait()
    await cancel_and_wait(task)

    assert await redis.zcard(keys_of(MST, "query")[1]) == 0


async def test_without_redis_nobody_calls() -> None:
    client = open_redis(f"redis://127.0.0.1:{free_port()}/0")
    with pytest.raises(Unavailable):
        async with pacing_of(client).turn(MST, "query"):
            pytest.fail("called")
    await client.aclose()
