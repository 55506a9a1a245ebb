"""The lease and the launch ledger on a real Redis: one leader writes; money is reserved, then settled."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from signalbox_autoscaler.actuate.launch_ledger import LAUNCHES, LEASE_KEYS, Book, Written, cost_of
from signalbox_autoscaler.model import Launch, LaunchState, Policy
from signalbox_core.errors import Unavailable
from signalbox_core.redis.client import open_redis
from signalbox_core.redis.lease import Lease
from support.assertions.eventually import eventually
from support.servers.backends import free_port

NOW = datetime.now(UTC)
POLICY = Policy(budget_per_hour=Decimal(1), budget_per_day=Decimal("1.5"))


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with open_redis(redis_url) as client:
        await client.flushall()
        yield client


@pytest.fixture
async def lease(redis: Redis) -> Lease:
    lease = lease_of(redis, "one")
    await lease.renew()
    return lease


def lease_of(redis: Redis, owner: str, *, ttl_s: float = 15) -> Lease:
    return Lease(redis, LEASE_KEYS, owner=owner, ttl=timedelta(seconds=ttl_s))


def launch(lease: Lease, queue: str = "sample", *, reserved: str = "0.4", at: datetime = NOW) -> Launch:
    return Launch(
        launch_id=f"l-{uuid.uuid4().hex[:8]}",
        queue=queue,
        workers=5,
        slots=50,
        requested_at=at,
        eta_at=at + timedelta(seconds=20),
        reserved=Decimal(reserved),
        epoch=lease.epoch or 0,
    )


async def test_one_leads_until_it_gives_back_and_epochs_grow(redis: Redis) -> None:
    one, two = lease_of(redis, "one"), lease_of(redis, "two")
    first = await one.renew()
    assert first is not None
    assert [await two.renew(), await one.renew()] == [None, first]

    await one.release()

    second = await two.renew()
    assert second is not None
    assert second > first
    assert await one.renew() is None
    assert (one.epoch, two.epoch) == (None, second)


async def test_epochs_grow_over_a_loss_of_redis(redis: Redis) -> None:
    one, two = lease_of(redis, "one"), lease_of(redis, "two")
    first = await one.renew()
    assert first is not None
    await redis.flushall()
    second = await two.renew()
    assert second is not None
    assert second > first

    await redis.flushall()
    third = await one.renew()

    assert third is not None
    assert third > second


async def test_an_epoch_exceeds_the_one_that_an_earlier_release_stored(redis: Redis) -> None:
    await redis.set(LEASE_KEYS.epoch, 7)
    epoch = await lease_of(redis, "one").renew()
    assert epoch is not None
    assert epoch > 7


async def test_a_leader_from_before_a_loss_of_redis_writes_nothing(redis: Redis) -> None:
    old, new = lease_of(redis, "old"), lease_of(redis, "new")
    await old.renew()
    stale = launch(old)
    await redis.flushall()
    await new.renew()

    assert await Book(redis, old).intend(stale, POLICY) is Written.FENCED
    assert await Book(redis, new).launches() == []


async def test_a_launch_decided_before_a_loss_of_redis_is_refused_to_the_same_leader_after_it(
    redis: Redis, lease: Lease
) -> None:
    book, stale = Book(redis, lease), launch(lease)
    await redis.flushall()
    await lease.renew()

    assert await book.intend(stale, POLICY) is Written.FENCED
    assert await book.intend(launch(lease), POLICY) is Written.WRITTEN


async def test_a_silent_leader_is_replaced_and_knows_it_without_asking(redis: Redis) -> None:
    one, two = lease_of(redis, "one", ttl_s=0.2), lease_of(redis, "two", ttl_s=60)
    first = await one.renew()
    second = await eventually(two.renew)
    assert first is not None
    assert second is not None
    assert second > first
    assert one.epoch is None
    assert await one.renew() is None


async def test_a_leader_that_was_replaced_writes_nothing(redis: Redis) -> None:
    old, new = lease_of(redis, "old", ttl_s=0.2), lease_of(redis, "new", ttl_s=60)
    await old.renew()
    known = launch(old)
    assert await Book(redis, old).intend(known, POLICY) is Written.WRITTEN
    await eventually(new.renew)
    book = Book(redis, old)

    assert await book.intend(launch(old), POLICY) is Written.FENCED
    assert await book.update(replace(known, state=LaunchState.REQUESTED)) is Written.FENCED
    assert await book.settle(known, Decimal(0)) is Written.FENCED
    assert await Book(redis, new).launches() == [known]
    assert (await book.spent(NOW)).hour == {"sample": Decimal("0.4")}


async def test_an_intent_is_written_once_and_its_record_replaced(redis: Redis, lease: Lease) -> None:
    book, meant = Book(redis, lease), launch(lease)
    assert [await book.intend(meant, POLICY) for _ in range(2)] == [Written.WRITTEN, Written.KNOWN]
    taken = replace(meant, state=LaunchState.REQUESTED, handle="executions/1")
    assert await book.update(taken) is Written.WRITTEN

    assert await book.launches() == [taken]
    assert await book.update(launch(lease)) is Written.UNKNOWN
    assert (await book.spent(NOW)).day == {"sample": Decimal("0.4")}


async def test_a_record_of_another_version_is_left_alone(redis: Redis, lease: Lease) -> None:
    book, meant = Book(redis, lease), launch(lease)
    await book.intend(meant, POLICY)
    await redis.hset(LAUNCHES, "l-later", b'{"version": 2}')
    assert await book.launches() == [meant]


async def test_money_is_reserved_before_and_what_was_not_used_comes_back(redis: Redis, lease: Lease) -> None:
    book, first, second = Book(redis, lease), launch(lease), launch(lease)
    await book.intend(first, POLICY)
    await book.intend(second, POLICY)
    assert await book.intend(launch(lease), POLICY) is Written.HOUR_BUDGET

    assert await book.settle(first, Decimal("0.05")) is Written.WRITTEN

    assert (await book.spent(NOW)).hour == {"sample": Decimal("0.45")}
    assert await book.settle(first, Decimal("0.05")) is Written.UNKNOWN
    assert await book.intend(launch(lease), POLICY) is Written.WRITTEN
    assert await book.launches() != []


async def test_the_day_has_a_budget_of_its_own_and_each_queue_too(redis: Redis, lease: Lease) -> None:
    book = Book(redis, lease)
    noon = NOW.replace(hour=12, minute=0)
    for hour in range(3):
        assert (
            await book.intend(launch(lease, at=noon + timedelta(hours=hour), reserved="0.5"), POLICY)
            is Written.WRITTEN
        )
    assert await book.intend(launch(lease, at=noon + timedelta(hours=5)), POLICY) is Written.DAY_BUDGET
    assert await book.intend(launch(lease, "other", at=noon), POLICY) is Written.WRITTEN
    assert await book.intend(launch(lease, at=noon), Policy()) is Written.WRITTEN, "no budget, no limit"


async def test_a_launch_that_cost_more_than_was_reserved_is_charged_in_full(
    redis: Redis, lease: Lease
) -> None:
    book, meant = Book(redis, lease), launch(lease, reserved="0.1")
    await book.intend(meant, POLICY)
    await book.settle(meant, Decimal("0.25"))
    assert (await book.spent(NOW)).hour == {"sample": Decimal("0.25")}


def test_what_workers_cost_is_exact() -> None:
    assert cost_of(Policy(price_per_worker_s=Decimal("0.00004")), workers=5, lasted_s=100.5) == Decimal(
        "0.0201"
    )


async def test_without_redis_nothing_is_led_or_written() -> None:
    async with open_redis(f"redis://127.0.0.1:{free_port()}/0") as away:
        lease = lease_of(away, "one")
        with pytest.raises(Unavailable, match=r"lease signalbox:\{autoscaler\}:lease: Redis does not answer"):
            await lease.renew()
        with pytest.raises(Unavailable, match="book of launches"):
            await Book(away, lease).intend(launch(lease), POLICY)
        await lease.release()
        assert lease.epoch is None
