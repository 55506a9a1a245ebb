"""The control loop in this process, on a real Temporal server and Redis: policies and the decision log."""

import contextlib
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError
from temporalio.client import Client

from signalbox_autoscaler.actuate.executor import DecisionExecutor
from signalbox_autoscaler.actuate.launch_ledger import LEASE_KEYS, LaunchLedger
from signalbox_autoscaler.audit.decision_log import DecisionLog
from signalbox_autoscaler.audit.recompute import recompute
from signalbox_autoscaler.loop import Components, ControlLoop
from signalbox_autoscaler.metrics import AutoscalerMetrics
from signalbox_autoscaler.model import ScalingDecisionRecord, ScalingPolicy
from signalbox_autoscaler.observe.observer import Observer
from signalbox_autoscaler.observe.temporal_metrics import TemporalMetrics
from signalbox_autoscaler.policies import FixedPolicies, PolicyFile, PolicySource
from signalbox_autoscaler.providers.none import NoProvider
from signalbox_core.redis.client import open_redis
from signalbox_core.redis.lease import Lease
from signalbox_core.temporal import connect
from support.assertions.eventually import eventually
from support.drivers.scaled_queue import Scaled, scaled_queue
from support.installed.nap.contract import NapInput


@pytest.fixture
async def scaled(temporal_address: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Scaled]:
    async with scaled_queue(tmp_path, temporal_address, redis_url) as driver:
        yield driver


@pytest.fixture
async def client(temporal_address: str) -> Client:
    return await connect(temporal_address, "default")


@contextlib.asynccontextmanager
async def restricted(redis: Redis, redis_url: str, *commands: str) -> AsyncIterator[tuple[Redis, str]]:
    """A Redis client that may not use these commands, and the name of its user."""
    user = f"restricted-{uuid.uuid4().hex[:8]}"
    denied = [f"-{command}" for command in commands]
    await redis.acl_setuser(user, enabled=True, nopass=True, keys=["*"], commands=["+@all", *denied])
    async with open_redis(redis_url.replace("redis://", f"redis://{user}:@")) as opened:
        yield opened, user
    await redis.acl_deluser(user)


async def leading_loop(
    client: Client,
    redis: Redis,
    policies: PolicySource,
    *queues: str,
    ledger_redis: Redis | None = None,
    log_redis: Redis | None = None,
) -> ControlLoop:
    """A loop that holds the lease; the ledger and the decision log may use clients of their own."""
    lease, provider = Lease(redis, LEASE_KEYS, ttl=timedelta(minutes=5)), NoProvider()
    await lease.renew()
    ledger = LaunchLedger(ledger_redis or redis, lease)
    components = Components(
        observer=Observer(TemporalMetrics(client), redis, queues),
        policies=policies,
        provider=provider,
        lease=lease,
        ledger=ledger,
        executor=DecisionExecutor(provider, ledger, lease, redis),
        decision_log=DecisionLog(log_redis or redis),
        metrics=AutoscalerMetrics(),
    )
    return ControlLoop(components, every_s=1)


async def test_decisions_are_recorded_although_their_launches_could_not_be_reserved(
    scaled: Scaled, client: Client, redis_url: str
) -> None:
    policies = FixedPolicies({scaled.queue: ScalingPolicy(slo_s=5, cold_start_s=2, heartbeat_s=1)})
    async with (
        restricted(scaled.redis, redis_url, "evalsha", "eval") as (without_scripts, _),
        scaled.base(slots=2),
    ):
        loop = await leading_loop(client, scaled.redis, policies, scaled.queue, ledger_redis=without_scripts)
        handle = await scaled.start(NapInput(naps=250, shortest_s=1, longest_s=2))

        async def launched() -> list[ScalingDecisionRecord]:
            with contextlib.suppress(ResponseError):
                await loop.tick()
            return [record for record in await scaled.records() if record.launches]

        assert await eventually(launched, within_s=60, every_s=0.5)
        await handle.terminate()
    assert await scaled.launches() == []
    recomputed = recompute(await scaled.records())
    assert (recomputed.skipped, recomputed.differences) == (0, ())


async def test_after_records_were_lost_the_next_one_contains_the_state(
    scaled: Scaled, client: Client, redis_url: str
) -> None:
    policies = FixedPolicies({scaled.queue: ScalingPolicy()})
    async with restricted(scaled.redis, redis_url, "xadd") as (without_log, user):
        loop = await leading_loop(client, scaled.redis, policies, log_redis=without_log)
        with pytest.raises(ResponseError):
            await loop.tick()
        assert await scaled.records() == []

        await scaled.redis.acl_setuser(user, commands=["+@all"])
        await loop.tick()

    records = await scaled.records()
    assert [record.state is not None for record in records] == [True]
    assert loop.queues == [scaled.queue]


async def test_contradicting_patterns_stop_the_sizing_of_one_queue_only(
    scaled: Scaled, client: Client, tmp_path: Path
) -> None:
    path, word = tmp_path / "patterns.toml", scaled.queue
    path.write_text(
        f'[queues."{word}_*"]\nworkers_per_launch = 8\n[queues."*_import"]\nmax_launches_per_tick = 5\n'
    )
    policies = PolicyFile(path)
    loop = await leading_loop(client, scaled.redis, policies, f"{word}_import", f"{word}_export")

    await loop.tick()

    assert loop.queues == [f"{word}_export"]
    assert loop.problem is not None
    assert loop.problem.endswith(f"not sized: {word}_import")
