"""The executor on a real Redis: what a former leader may do, and launches that could not be reserved."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from redis.asyncio import Redis

from signalbox_autoscaler.actuate.executor import DecisionExecutor
from signalbox_autoscaler.actuate.launch_ledger import LEASE_KEYS, LaunchLedger
from signalbox_autoscaler.model import (
    Binding,
    Launch,
    LaunchState,
    ScalingAction,
    ScalingDecision,
    ScalingPolicy,
    SizingInputs,
    SizingState,
)
from signalbox_autoscaler.providers.none import NoProvider
from signalbox_core.errors import Unavailable
from signalbox_core.redis.client import open_redis
from signalbox_core.redis.lease import Lease
from signalbox_core.scaling.burst import burst_identity, retire_key
from support.assertions.eventually import eventually
from support.servers.backends import free_port

NOW = datetime.now(UTC)
WORKER = burst_identity("b-1", 0)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with open_redis(redis_url) as client:
        await client.flushall()
        yield client


def executor_of(redis: Redis, lease: Lease, ledger_redis: Redis | None = None) -> DecisionExecutor:
    return DecisionExecutor(NoProvider(), LaunchLedger(ledger_redis or redis, lease), lease, redis)


def decision(*launches: Launch, retire: tuple[str, ...] = ()) -> ScalingDecision:
    return ScalingDecision(
        action=ScalingAction.RETIRE if retire else ScalingAction.LAUNCH,
        binding=Binding.NONE,
        terms=SizingInputs(),
        state=SizingState(),
        launches=launches,
        retire=retire,
    )


def launch(launch_id: str) -> Launch:
    return Launch(
        launch_id=launch_id,
        queue="q",
        workers=1,
        slots=50,
        requested_at=NOW,
        eta_at=NOW,
        reserved=Decimal(1),
    )


async def test_a_former_leader_retires_no_worker(redis: Redis) -> None:
    old = Lease(redis, LEASE_KEYS, owner="old", ttl=timedelta(seconds=0.2))
    new = Lease(redis, LEASE_KEYS, owner="new", ttl=timedelta(seconds=60))
    first = await old.renew()
    second = await eventually(new.renew)
    assert first is not None

    await executor_of(redis, old).execute(decision(retire=(WORKER,)), ScalingPolicy(), {}, first)
    assert await redis.exists(retire_key(WORKER)) == 0

    await executor_of(redis, new).execute(decision(retire=(WORKER,)), ScalingPolicy(), {}, second)
    assert await redis.exists(retire_key(WORKER)) == 1


async def test_a_launch_that_no_budget_covers_is_reported_as_failed(redis: Redis) -> None:
    lease = Lease(redis, LEASE_KEYS, ttl=timedelta(seconds=60))
    epoch = await lease.renew()
    assert epoch is not None
    executor, policy = executor_of(redis, lease), ScalingPolicy(budget_per_hour=Decimal("0.5"))

    await executor.execute(decision(launch("l-1")), policy, {}, epoch)

    refused = executor.take_refused()
    assert [(item.launch_id, item.state, item.error) for item in refused] == [
        ("l-1", LaunchState.FAILED, "not reserved: hour_budget")
    ]
    assert executor.take_refused() == []


async def test_launches_that_could_not_be_reserved_in_an_outage_are_reported_as_failed(redis: Redis) -> None:
    lease = Lease(redis, LEASE_KEYS, ttl=timedelta(seconds=60))
    epoch = await lease.renew()
    assert epoch is not None
    async with open_redis(f"redis://127.0.0.1:{free_port()}/0") as unavailable:
        executor = executor_of(redis, lease, unavailable)
        with pytest.raises(Unavailable, match="launch ledger"):
            await executor.execute(decision(launch("l-1"), launch("l-2")), ScalingPolicy(), {}, epoch)

    refused = executor.take_refused()
    assert [(item.launch_id, item.state) for item in refused] == [
        ("l-1", LaunchState.FAILED),
        ("l-2", LaunchState.FAILED),
    ]
