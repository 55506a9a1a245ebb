"""The lease and the launch ledger on a real Redis: fencing, reservations and settlement."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from signalbox_autoscaler.actuate.launch_ledger import (
    LAUNCHES,
    LEASE_KEYS,
    LaunchLedger,
    WriteResult,
    cost_of,
)
from signalbox_autoscaler.model import Launch, LaunchState, ScalingPolicy
from signalbox_core.errors import Unavailable
from signalbox_core.redis.client import open_redis
from signalbox_core.redis.lease import Lease
from support.assertions.eventually import eventually
from support.servers.backends import free_port

NOW = datetime.now(UTC)
POLICY = ScalingPolicy(budget_per_hour=Decimal(1), budget_per_day=Decimal("1.5"))


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


async def test_one_leads_until_it_releases_the_lease_and_epochs_grow(redis: Redis) -> None:
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

    assert await LaunchLedger(redis, old).reserve(stale, POLICY) is WriteResult.FENCED
    assert await LaunchLedger(redis, new).launches() == []


async def test_a_launch_decided_before_a_loss_of_redis_is_refused_to_the_same_leader_after_it(
    redis: Redis, lease: Lease
) -> None:
    ledger, stale = LaunchLedger(redis, lease), launch(lease)
    await redis.flushall()
    await lease.renew()

    assert await ledger.reserve(stale, POLICY) is WriteResult.FENCED
    assert await ledger.reserve(launch(lease), POLICY) is WriteResult.WRITTEN


async def test_a_leader_that_does_not_renew_is_replaced_and_its_epoch_expires(redis: Redis) -> None:
    one, two = lease_of(redis, "one", ttl_s=0.2), lease_of(redis, "two", ttl_s=60)
    first = await one.renew()
    second = await eventually(two.renew)
    assert first is not None
    assert second is not None
    assert second > first
    assert one.epoch is None
    assert await one.renew() is None


async def test_a_former_leader_is_fenced(redis: Redis) -> None:
    old, new = lease_of(redis, "old"), lease_of(redis, "new")
    await old.renew()
    known = launch(old)
    assert await LaunchLedger(redis, old).reserve(known, POLICY) is WriteResult.WRITTEN
    await redis.delete(LEASE_KEYS.lease)  # as when it expires
    assert await new.renew()
    ledger = LaunchLedger(redis, old)

    assert await ledger.reserve(launch(old), POLICY) is WriteResult.FENCED
    assert await ledger.update(replace(known, state=LaunchState.REQUESTED)) is WriteResult.FENCED
    assert await ledger.settle(known, Decimal(0)) is WriteResult.FENCED
    assert await LaunchLedger(redis, new).launches() == [known]
    assert (await ledger.spent(NOW)).hour == {"sample": Decimal("0.4")}


async def test_a_launch_is_reserved_once_and_then_updated(redis: Redis, lease: Lease) -> None:
    ledger, planned = LaunchLedger(redis, lease), launch(lease)
    assert [await ledger.reserve(planned, POLICY) for _ in range(2)] == [
        WriteResult.WRITTEN,
        WriteResult.KNOWN,
    ]
    taken = replace(planned, state=LaunchState.REQUESTED, handle="executions/1")
    assert await ledger.update(taken) is WriteResult.WRITTEN

    assert await ledger.launches() == [taken]
    assert await ledger.update(launch(lease)) is WriteResult.UNKNOWN
    assert (await ledger.spent(NOW)).day == {"sample": Decimal("0.4")}


async def test_a_launch_of_an_incompatible_version_is_ignored(redis: Redis, lease: Lease) -> None:
    ledger, planned = LaunchLedger(redis, lease), launch(lease)
    await ledger.reserve(planned, POLICY)
    await redis.hset(LAUNCHES, "l-later", b'{"version": 2}')
    assert await ledger.launches() == [planned]


async def test_money_is_reserved_and_the_unused_part_is_returned(redis: Redis, lease: Lease) -> None:
    ledger, first, second = LaunchLedger(redis, lease), launch(lease), launch(lease)
    await ledger.reserve(first, POLICY)
    await ledger.reserve(second, POLICY)
    assert await ledger.reserve(launch(lease), POLICY) is WriteResult.HOUR_BUDGET

    assert await ledger.settle(first, Decimal("0.05")) is WriteResult.WRITTEN

    assert (await ledger.spent(NOW)).hour == {"sample": Decimal("0.45")}
    assert await ledger.settle(first, Decimal("0.05")) is WriteResult.UNKNOWN
    assert await ledger.reserve(launch(lease), POLICY) is WriteResult.WRITTEN
    assert await ledger.launches() != []


async def test_days_and_queues_have_their_own_budgets(redis: Redis, lease: Lease) -> None:
    ledger = LaunchLedger(redis, lease)
    noon = NOW.replace(hour=12, minute=0)
    for hour in range(3):
        assert (
            await ledger.reserve(launch(lease, at=noon + timedelta(hours=hour), reserved="0.5"), POLICY)
            is WriteResult.WRITTEN
        )
    assert await ledger.reserve(launch(lease, at=noon + timedelta(hours=5)), POLICY) is WriteResult.DAY_BUDGET
    assert await ledger.reserve(launch(lease, "other", at=noon), POLICY) is WriteResult.WRITTEN
    assert await ledger.reserve(launch(lease, at=noon), ScalingPolicy()) is WriteResult.WRITTEN, (
        "without a budget there is no limit"
    )


async def test_a_launch_that_cost_more_than_was_reserved_is_charged_in_full(
    redis: Redis, lease: Lease
) -> None:
    ledger, planned = LaunchLedger(redis, lease), launch(lease, reserved="0.1")
    await ledger.reserve(planned, POLICY)
    await ledger.settle(planned, Decimal("0.25"))
    assert (await ledger.spent(NOW)).hour == {"sample": Decimal("0.25")}


def test_the_cost_of_workers_is_exact() -> None:
    assert cost_of(
        ScalingPolicy(price_per_worker_s=Decimal("0.00004")), workers=5, lasted_s=100.5
    ) == Decimal("0.0201")


async def test_without_redis_the_lease_and_the_ledger_are_unavailable() -> None:
    async with open_redis(f"redis://127.0.0.1:{free_port()}/0") as unavailable:
        lease = lease_of(unavailable, "one")
        with pytest.raises(
            Unavailable, match=r"lease signalbox:\{autoscaler\}:lease: Redis does not respond"
        ):
            await lease.renew()
        with pytest.raises(Unavailable, match="launch ledger"):
            await LaunchLedger(unavailable, lease).reserve(launch(lease), POLICY)
        await lease.release()
        assert lease.epoch is None
