"""Hints on a real Redis: how much a run has still to schedule, for the autoscaler to read."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from redis.asyncio import Redis

from signalbox_core.errors import Unavailable
from signalbox_core.redis.client import open_redis
from signalbox_core.scaling.hints import FRESH_FOR, Hint, Hints, hints_key
from support.servers.backends import free_port

NOW = datetime.now(UTC)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with open_redis(redis_url) as client:
        yield client


@pytest.fixture
def queue() -> str:
    return f"queue-{uuid.uuid4().hex[:8]}"


async def remaining(hints: Hints, queue: str, now: datetime | None = None) -> dict[str, int]:
    found = await hints.read([queue], now or datetime.now(UTC))
    return {publisher: hint.remaining for publisher, hint in found[queue].items()}


async def test_the_latest_hint_of_each_publisher_counts(redis: Redis, queue: str) -> None:
    hints = Hints(redis)
    assert await hints.publish(queue, "run-1", remaining=900, max_in_flight=8)
    assert await hints.publish(queue, "run-1", remaining=850, max_in_flight=8, max_rate_per_s=2.5)
    assert await hints.publish(queue, "run-2", remaining=40)

    found = (await hints.read([queue, "other"], datetime.now(UTC)))[queue]

    assert {name: hint.remaining for name, hint in found.items()} == {"run-1": 850, "run-2": 40}
    assert (found["run-1"].max_in_flight, found["run-1"].max_rate_per_s) == (8, 2.5)
    assert await remaining(hints, "other") == {}


async def test_a_hint_ends_at_zero_or_when_it_is_withdrawn(redis: Redis, queue: str) -> None:
    hints = Hints(redis)
    for publisher in ("run-1", "run-2", "run-3"):
        await hints.publish(queue, publisher, remaining=5)
    await hints.publish(queue, "run-1", remaining=0)
    await hints.withdraw(queue, "run-2")

    assert await remaining(hints, queue) == {"run-3": 5}


@pytest.mark.parametrize(
    ("age", "counts"),
    [
        pytest.param(timedelta(0), True, id="now"),
        pytest.param(FRESH_FOR, True, id="a minute old"),
        pytest.param(FRESH_FOR + timedelta(seconds=1), False, id="expired"),
        pytest.param(-FRESH_FOR - timedelta(seconds=1), False, id="clock too far ahead"),
    ],
)
async def test_a_hint_expires_without_updates(redis: Redis, queue: str, age: timedelta, counts: bool) -> None:
    await redis.hset(hints_key(queue), "run-1", msgspec.json.encode(Hint(remaining=7, at=NOW - age)))

    assert await remaining(Hints(redis), queue, NOW) == ({"run-1": 7} if counts else {})


async def test_old_and_unreadable_hints_are_deleted(redis: Redis, queue: str) -> None:
    old = msgspec.json.encode(Hint(remaining=7, at=NOW - timedelta(hours=2)))
    await redis.hset(
        hints_key(queue),
        mapping={
            "dead": old,
            "bad": b'{"remaining":-1}',
            "live": msgspec.json.encode(Hint(remaining=1, at=NOW)),
        },
    )

    assert await remaining(Hints(redis), queue, NOW) == {"live": 1}
    assert await redis.hkeys(hints_key(queue)) == [b"live"]


async def test_the_hints_of_a_queue_without_publishers_expire(redis: Redis, queue: str) -> None:
    await Hints(redis).publish(queue, "run-1", remaining=3)

    assert 0 < await redis.ttl(hints_key(queue)) <= 3_600


async def test_no_work_fails_while_redis_is_unavailable_but_the_reader_gets_an_error(queue: str) -> None:
    async with open_redis(f"redis://127.0.0.1:{free_port()}/0") as away:
        assert not await Hints(away).publish(queue, "run-1", remaining=3)
        with pytest.raises(Unavailable, match="hints: Redis does not respond"):
            await Hints(away).read([queue], NOW)


async def test_without_redis_publishing_does_nothing(queue: str) -> None:
    assert not await Hints(None).publish(queue, "run-1", remaining=3)
    assert await remaining(Hints(None), queue) == {}
