"""`Pacing`: calls of any remote at a pace that all workers share."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from importlib.resources import files
from itertools import pairwise

import pytest
from redis.asyncio import Redis

from signalbox_core.errors import NotFound, RateLimited, Unavailable
from signalbox_core.redis.client import open_redis
from signalbox_core.redis.pacing import Pace, Pacing, outcome_of


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = open_redis(redis_url)
    async for key in client.scan_iter("signalbox:*:{acme-api:*"):
        await client.delete(key)
    yield client
    await client.aclose()


def pacing_of(redis: Redis, *, spacing_ms: int = 0, in_flight: int = 1) -> Pacing:
    pace = Pace(spacing=timedelta(milliseconds=spacing_ms), in_flight=in_flight)
    return Pacing(redis, "acme-api", pace)


async def test_two_instances_share_the_calls_in_flight(redis: Redis) -> None:
    one, other = pacing_of(redis), pacing_of(redis)

    async with one.permit("account-1"):
        with pytest.raises(RateLimited, match=r"acme-api is busy \(as many calls as it allows\)") as refused:
            async with other.permit("account-1", max_wait_s=0):
                pass
        async with other.permit("account-2"):
            pass

    assert refused.value.retry_after_s > 0
    async with other.permit("account-1"):
        pass


async def test_starts_keep_their_distance(redis: Redis) -> None:
    pacing = pacing_of(redis, spacing_ms=40, in_flight=5)
    starts: list[int] = []

    async def call() -> None:
        async with pacing.permit() as permit:
            starts.append(permit.started_ms)

    await asyncio.gather(*(call() for _ in range(5)))

    assert min(later - earlier for earlier, later in pairwise(starts)) >= 40


async def test_all_workers_pause_when_the_remote_limits_one(redis: Redis) -> None:
    one, other = pacing_of(redis), pacing_of(redis)
    with pytest.raises(RateLimited):
        async with one.permit():
            raise RateLimited("slow down", retry_after_s=60)

    with pytest.raises(RateLimited, match="it asked to slow down") as refused:
        async with other.permit():
            pass

    assert 50 < refused.value.retry_after_s <= 60


async def test_a_request_that_is_repeated_gets_the_permit_that_it_has(redis: Redis) -> None:
    """As the client does when the connection breaks before the reply."""
    acquire = redis.register_script(
        files("signalbox_core.redis").joinpath("pace_acquire.lua").read_text("utf-8")
    )
    keys = ["signalbox:pace:{acme-api:repeated}", "signalbox:flight:{acme-api:repeated}"]
    limits = [0, 1, 60_000, 6, 60_000, 1.04]

    verdicts = [(await acquire(keys=keys, args=["permit-1", *limits]))[0] for _ in range(2)]
    other = await acquire(keys=keys, args=["permit-2", *limits])

    assert verdicts == [b"go", b"go"]
    assert other[0] == b"full"


_BUSY = "for _ = 1, 1e7 do end"


async def test_a_call_that_is_cancelled_as_redis_grants_it_holds_no_permit(
    redis: Redis, redis_url: str
) -> None:
    pacing, busy = pacing_of(redis), open_redis(redis_url)

    async def call() -> None:
        async with pacing.permit():
            await asyncio.Event().wait()

    occupy = busy.register_script(_BUSY)
    async with pacing.permit():
        await occupy()
    # The request reaches Redis while it runs a script, and is carried out after that.
    blocking = asyncio.create_task(occupy())
    await turns_of_the_loop(20)
    asking = asyncio.create_task(call())
    await turns_of_the_loop(20)
    asking.cancel()
    await asyncio.gather(asking, blocking, return_exceptions=True)

    async with pacing.permit(max_wait_s=0):
        pass
    await busy.aclose()


async def turns_of_the_loop(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        pytest.param(None, ("ok", 0.0), id="success"),
        pytest.param(NotFound("gone"), ("ok", 0.0), id="an answer"),
        pytest.param(RateLimited("slow", retry_after_s=2), ("limited", 2_000.0), id="limit"),
        pytest.param(Unavailable("down"), ("slow", 0.0), id="failure"),
        pytest.param(ValueError("bug"), ("other", 0.0), id="bug"),
    ],
)
def test_how_the_end_of_a_call_counts(error: Exception | None, outcome: tuple[str, float]) -> None:
    assert outcome_of(error) == outcome
