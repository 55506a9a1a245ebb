"""The portal's rate limiter on a real Redis: spacing and concurrency hold over all processes."""

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
from signalbox_core.redis.pacing import BREAKER_THRESHOLD
from signalbox_pipelines.invoice_import.pacing.lanes import RateLane
from signalbox_pipelines.invoice_import.pacing.rate_limiter import (
    PermitDelayed,
    PortalRateLimiter,
    redis_keys,
)
from signalbox_pipelines.invoice_import.portal.faults import NoOriginal, PortalBusy, SessionExpired
from support.bench.paced_calls import AT_ONCE, SPACING_MS
from support.servers.backends import free_port

MST = "9901000019"
TESTS = Path(__file__).parents[2]


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = open_redis(redis_url)
    await client.delete(*redis_keys(MST, "query"), *redis_keys(MST, "export"))
    yield client
    await client.aclose()


def limiter_for(
    redis: Redis, *, spacing_ms: int = 0, in_flight: int = 2, lease_ms: int = 20_000
) -> PortalRateLimiter:
    return PortalRateLimiter(
        redis,
        {"query": RateLane(name="query", spacing_ms=spacing_ms, in_flight=in_flight, lease_ms=lease_ms)},
    )


async def interval_ms(redis: Redis) -> float:
    return float(await redis.hget(redis_keys(MST, "query")[0], "interval") or 0)


async def fail(limiter: PortalRateLimiter, error: Exception, **given: float) -> None:
    with pytest.raises(type(error)):
        async with limiter.permit(MST, "query", **given):
            raise error


async def test_four_processes_share_spacing_and_concurrency(redis: Redis, redis_url: str) -> None:
    mst, calls = "9901000026", 15
    await redis.delete(f"seen:{mst}", f"now:{mst}", *redis_keys(mst, "query"))
    command = [sys.executable, "-m", "support.bench.paced_calls", redis_url, mst, str(calls)]
    processes = [
        await asyncio.create_subprocess_exec(
            *command, cwd=TESTS, env={**os.environ, "PYTHONPATH": str(TESTS)}
        )
        for _ in range(4)
    ]

    assert [await process.wait() for process in processes] == [0] * 4

    seen = [tuple(map(int, entry.split())) for entry in await redis.lrange(f"seen:{mst}", 0, -1)]
    starts = sorted(started for started, _ in seen)
    assert len(starts) == 4 * calls
    assert min(later - earlier for earlier, later in pairwise(starts)) >= SPACING_MS
    assert max(in_flight for _, in_flight in seen) <= AT_ONCE


async def test_retry_after_pauses_every_worker(redis: Redis) -> None:
    one, other = limiter_for(redis), limiter_for(redis)
    await fail(one, RateLimited("slow down", retry_after_s=7))

    for limiter in (one, other):
        with pytest.raises(PermitDelayed) as delayed:
            async with limiter.permit(MST, "query"):
                pass
        assert 5 < delayed.value.retry_after_s <= 7
        assert delayed.value.stable_code == "portal_wait"


async def test_a_wait_below_a_second_is_spent_in_the_activity(redis: Redis) -> None:
    limiter = limiter_for(redis, spacing_ms=100)
    starts = []
    for _ in range(3):
        async with limiter.permit(MST, "query") as permit:
            starts.append(permit.started_ms)

    assert all(later - earlier >= 100 for earlier, later in pairwise(starts))


async def test_concurrent_failures_slow_down_once(redis: Redis) -> None:
    limiter = limiter_for(redis, spacing_ms=100, in_flight=3)
    both_started = asyncio.Barrier(2)

    async def one() -> None:
        async with limiter.permit(MST, "query"):
            await both_started.wait()
            raise PortalBusy("no answer")

    outcomes = await asyncio.gather(one(), one(), return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [PortalBusy, PortalBusy]
    assert await interval_ms(redis) == pytest.approx(208)


async def test_twenty_successful_calls_halve_the_spacing(redis: Redis) -> None:
    slow, well = limiter_for(redis, spacing_ms=0), limiter_for(redis, spacing_ms=0)
    await fail(slow, PortalBusy("no answer"))
    before = await interval_ms(redis)
    for _ in range(20):
        await redis.hset(redis_keys(MST, "query")[0], "next_at", 0)
        async with well.permit(MST, "query"):
            pass

    assert await interval_ms(redis) == pytest.approx(before / 2, rel=0.01)


async def test_a_rejection_does_not_slow_down(redis: Redis) -> None:
    limiter = limiter_for(redis, spacing_ms=1)
    await fail(limiter, NoOriginal("none"))
    await fail(limiter, SessionExpired("over"))

    assert await interval_ms(redis) == pytest.approx(1.04)


async def test_repeated_failures_open_the_circuit_breaker_and_one_call_probes(redis: Redis) -> None:
    limiter = limiter_for(redis)
    for _ in range(BREAKER_THRESHOLD):
        await redis.hset(redis_keys(MST, "query")[0], "next_at", 0)
        await fail(limiter, PortalBusy("no answer"))

    with pytest.raises(PermitDelayed, match="circuit breaker") as delayed:
        async with limiter.permit(MST, "query"):
            pass
    assert delayed.value.retry_after_s > 20

    rested = {"resume_at": 0, "next_at": 0}
    await redis.hset(redis_keys(MST, "query")[0], mapping=rested)
    async with limiter.permit(MST, "query"):
        with pytest.raises(PermitDelayed, match="as many calls"):
            async with limiter_for(redis).permit(MST, "query", max_wait_s=0):
                pass
    await redis.hset(redis_keys(MST, "query")[0], mapping=rested)
    async with limiter.permit(MST, "query"):
        await redis.hset(redis_keys(MST, "query")[0], mapping=rested)
        async with limiter_for(redis).permit(MST, "query"):
            assert await redis.zcard(redis_keys(MST, "query")[1]) == 2


async def test_the_permit_of_a_dead_worker_expires(redis: Redis) -> None:
    dead = limiter_for(redis, in_flight=1, lease_ms=150).permit(MST, "query")
    await dead.__aenter__()

    async with limiter_for(redis, in_flight=1).permit(MST, "query"):
        assert await redis.zcard(redis_keys(MST, "query")[1]) == 1


async def test_a_cancelled_call_recalls_its_permit(redis: Redis) -> None:
    limiter, started = limiter_for(redis, in_flight=1), asyncio.Event()

    async def hang() -> None:
        async with limiter.permit(MST, "query"):
            started.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hang())
    await started.wait()
    await cancel_and_wait(task)

    assert await redis.zcard(redis_keys(MST, "query")[1]) == 0


async def test_the_portal_is_not_called_without_redis() -> None:
    client = open_redis(f"redis://127.0.0.1:{free_port()}/0")
    with pytest.raises(Unavailable):
        async with limiter_for(client).permit(MST, "query"):
            pytest.fail("called")
    await client.aclose()
