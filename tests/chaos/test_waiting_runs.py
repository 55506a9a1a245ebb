"""Runs that wait for a person while every worker is stopped and started: all decided, no step twice.

SIGNALBOX_CHAOS_WAITING sets how many runs wait. What they cost while they wait is printed.
"""

import asyncio
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import pytest
from redis.asyncio import Redis
from temporalio.client import Client

from signalbox_client import AsyncSignalbox
from signalbox_client.models import Approval
from signalbox_core.ids import run_key
from signalbox_core.redis.client import open_redis
from signalbox_core.temporal import connect
from signalbox_devstack.stack.keys import TENANT
from support.assertions.eventually import eventually
from support.process_cpu import cpu_s
from support.servers.installed_pipelines import install_pipelines
from support.servers.stack import RunningStack, running_stack
from support.whole.chain.contract import ChainInput

RUNS: Final = int(os.environ.get("SIGNALBOX_CHAOS_WAITING", "60"))
WITHIN_S: Final = 60 + 2 * RUNS
PARALLEL: Final = 10
MAX_REDIS_BYTES: Final = 20_000
"""What one run may occupy in Redis."""
CPU_WINDOW_S: Final = 5.0
_RUN_ID: Final = re.compile(rb"run-[0-9a-z]{26}")


@pytest.fixture(scope="module")
def waiting_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    environ = {
        "PYTHONPATH": install_pipelines(tmp_path_factory.mktemp("installed"), "whole", "support.whole"),
        "SIGNALBOX_GATEWAY_REQUESTS_PER_S": "100000",
    }
    parts = ("--only", "gateway,receiver,worker")
    with running_stack(tmp_path_factory.mktemp("waiting"), *parts, environ=environ) as running:
        yield running


@pytest.mark.timeout(120 + 8 * RUNS)
async def test_runs_that_wait_survive_a_restart_of_every_worker(waiting_stack: RunningStack) -> None:
    stack = waiting_stack
    temporal = await connect(str(stack.endpoints.temporal), "default")
    async with stack.client() as client:
        runs = await start_all(client)
        approvals = await pending_of(client, runs)
        await report_costs(stack, runs)
        stack.command("stop", "worker")
        half = len(runs) // 2
        stored = await client.decide_many([(run, approvals[run]) for run in runs[:half]], {"yes": True})
        stack.command("start", "worker")
        applied = await client.decide_many([(run, approvals[run]) for run in runs[half:]], {"yes": True})
        await eventually(lambda: are_completed(client, runs), within_s=WITHIN_S, every_s=1)
        snapshots = [await client.run(run) for run in runs]

    assert {item.status for item in stored} == {"recorded"}
    assert {item.status for item in applied} <= {"accepted", "recorded"}
    decisions = {item.run_id: item.decision_id for item in (*stored, *applied)}
    for snapshot in snapshots:
        (approval,) = snapshot.approvals
        assert (approval.status, approval.decision_id) == ("decided", decisions[snapshot.run_id])
        assert [step.attempt for step in snapshot.steps if step.status == "completed"] == [1]
    assert await activity_counts(temporal, runs) == dict.fromkeys(runs, 1)


async def start_all(client: AsyncSignalbox) -> list[str]:
    slots = asyncio.Semaphore(PARALLEL)

    async def start() -> str:
        async with slots:
            return (await client.start("chain", ChainInput(steps=1, asks=True))).run_id

    return await asyncio.gather(*(start() for _ in range(RUNS)))


async def pending_of(client: AsyncSignalbox, runs: Sequence[str]) -> Mapping[str, Approval]:
    async def are_asked() -> bool:
        return set(runs) <= {item.run_id for item in await client.approvals()}

    await eventually(are_asked, within_s=WITHIN_S, every_s=1)
    return {run: await client.approval(run, "go") for run in runs}


async def are_completed(client: AsyncSignalbox, runs: Sequence[str]) -> bool:
    left = {item.run_id for item in await client.approvals()} & set(runs)
    return not left and all([(await client.run(run)).status == "completed" for run in runs])


async def report_costs(stack: RunningStack, runs: Sequence[str]) -> None:
    """Print what the waiting runs occupy in Redis, and the CPU that all services use meanwhile."""
    async with open_redis(str(stack.endpoints.redis)) as redis:
        sizes = await redis_bytes(redis, runs)
    pids = [pid for name, pid in stack.endpoints.pids.items() if name in ("gateway", "worker", "temporal")]
    before = cpu_s(pids)
    await asyncio.sleep(CPU_WINDOW_S)
    share = (cpu_s(pids) - before) / CPU_WINDOW_S
    sys.stdout.write(
        f"\n{len(runs)} waiting runs: {max(sizes.values()) / 1000:.1f} kB in Redis each at most, "
        f"{share:.2f} CPUs of gateway, worker and Temporal\n"
    )
    assert set(sizes) == set(runs)
    assert max(sizes.values()) <= MAX_REDIS_BYTES


async def redis_bytes(redis: Redis, runs: Sequence[str]) -> Counter[str]:
    """What the keys of each run occupy."""
    sizes: Counter[str] = Counter()
    async for key in redis.scan_iter(count=1_000):
        found = _RUN_ID.search(key)
        if found is not None and found[0].decode() in runs:
            sizes[found[0].decode()] += await redis.memory_usage(key) or 0
    return sizes


async def activity_counts(temporal: Client, runs: Sequence[str]) -> dict[str, int]:
    """How often each run's step ran, by the history."""
    found = {}
    for run in runs:
        handle = temporal.get_workflow_handle(run_key(TENANT, run))
        names = [
            event.activity_task_scheduled_event_attributes.activity_type.name
            async for event in handle.fetch_history_events()
            if event.HasField("activity_task_scheduled_event_attributes")
        ]
        found[run] = sum(not name.startswith("signalbox.") for name in names)
    return found
