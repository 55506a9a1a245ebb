"""A tick over 200 queues, on a real Temporal server and a real Redis: CPU and wall milliseconds, and calls.

Peer: the same calls to Temporal for as many other queues, one after another and with nothing decided.
"""

import sys
import time
import uuid
from datetime import UTC, datetime, timedelta
from statistics import median

from temporalio.client import Client

from signalbox_autoscaler.actuate.executor import DecisionExecutor
from signalbox_autoscaler.actuate.launch_ledger import LEASE_KEYS, LaunchLedger
from signalbox_autoscaler.audit.decision_log import DecisionLog
from signalbox_autoscaler.loop import Components, ControlLoop
from signalbox_autoscaler.metrics import AutoscalerMetrics
from signalbox_autoscaler.model import ScalingPolicy
from signalbox_autoscaler.observe.observer import CACHED_FOR, Observer
from signalbox_autoscaler.observe.temporal_metrics import TemporalMetrics
from signalbox_autoscaler.policies import FixedPolicies
from signalbox_autoscaler.providers.none import NoProvider
from signalbox_core.redis.client import open_redis
from signalbox_core.redis.lease import Lease
from signalbox_core.temporal import connect

QUEUES, ROUNDS = 200, 5
CPU_TO_CALLS = 2.0
"""What a whole tick may cost, in the CPU of its calls alone."""


async def test_a_tick_over_200_queues(temporal_address: str, redis_url: str) -> None:
    client = await connect(temporal_address, "default")
    names, others = [
        [f"{kind}-{number:03d}-{uuid.uuid4().hex[:6]}" for number in range(QUEUES)]
        for kind in ("tick", "peer")
    ]
    async with open_redis(redis_url) as redis:
        await redis.flushall()
        temporal, clock = TemporalMetrics(client), Clock()
        lease, provider = Lease(redis, LEASE_KEYS, ttl=timedelta(minutes=5)), NoProvider()
        await lease.renew()
        ledger = LaunchLedger(redis, lease)
        components = Components(
            observer=Observer(temporal, redis, names),
            policies=FixedPolicies({name: ScalingPolicy(dry_run=True) for name in names}),
            provider=provider,
            lease=lease,
            ledger=ledger,
            executor=DecisionExecutor(provider, ledger, lease, redis),
            decision_log=DecisionLog(redis),
            metrics=AutoscalerMetrics(),
        )
        loop = ControlLoop(components, every_s=5, clock=clock)
        await loop.tick()
        await one_after_another(client, others)
        ticks: list[float] = []
        cpu: list[float] = []
        singles: list[float] = []
        singles_cpu: list[float] = []
        calls = 0
        for _ in range(ROUNDS):
            clock.forward(CACHED_FOR)
            before, began, busy = temporal.calls, time.perf_counter(), time.process_time()
            await loop.tick()
            ticks.append((time.perf_counter() - began) * 1000)
            cpu.append((time.process_time() - busy) * 1000)
            calls = temporal.calls - before
            busy = time.process_time()
            singles.append(await one_after_another(client, others))
            singles_cpu.append((time.process_time() - busy) * 1000)
        assert len(loop.latest) == QUEUES
    ours = f"tick over {QUEUES} queues: {median(ticks):.0f} ms ({median(cpu):.0f} ms of CPU), {calls} calls"
    sys.stdout.write(
        f"\n{ours}; the calls in sequence: {median(singles):.0f} ms ({median(singles_cpu):.0f} ms of CPU)\n"
    )
    assert calls == 1 + 2 * QUEUES
    assert median(cpu) <= CPU_TO_CALLS * median(singles_cpu)
    assert median(ticks) <= 1.5 * median(singles)


async def one_after_another(client: Client, names: list[str]) -> float:
    temporal, began = TemporalMetrics(client), time.perf_counter()
    await temporal.workers(datetime.now(UTC))
    for name in names:
        await temporal.backlogs([name])
    return (time.perf_counter() - began) * 1000


class Clock:
    def __init__(self) -> None:
        self._now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self._now

    def forward(self, duration: timedelta) -> None:
        self._now += duration
