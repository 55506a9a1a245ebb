"""The coefficients of the capacity model, measured: CPU, bytes and actions per run, step and approval.

The model is linear, so a run of another shape than those measured must cost what the coefficients predict.
"""

import asyncio
import sys
from collections.abc import Iterator, Mapping
from contextlib import aclosing
from typing import Final

import pytest
import redis.asyncio
from temporalio.client import Client

from signalbox_client import AsyncSignalbox
from signalbox_core.ids import run_key
from signalbox_devstack.stack.keys import TENANT
from support.assertions.billable_actions import billable_actions
from support.process_cpu import cpu_s
from support.servers.installed_pipelines import install_pipelines
from support.servers.stack import RunningStack, running_stack
from support.whole.chain.contract import ChainInput

RUNS, IN_FLIGHT, IDLE_S, ROUNDS, STEPS = 60, 10, 3.0, 2, 10
PARTS: Final = ("gateway", "receiver", "worker", "temporal", "pubsub", "redis")
EMPTY: Final = ChainInput(steps=0)
STEPPED: Final = ChainInput(steps=STEPS)
ASKING: Final = ChainInput(steps=0, asks=True)
MIXED: Final = ChainInput(steps=5, asks=True)
TOLERANCE: Final = 0.35
"""Of the predicted CPU; the machine is noisy, and caches and batches make no cost quite linear."""

Costs = Mapping[str, float]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    environ = {
        "PYTHONPATH": install_pipelines(tmp_path_factory.mktemp("installed"), "whole", "support.whole"),
        "SIGNALBOX_GATEWAY_REQUESTS_PER_S": "100000",
    }
    parts = ("--only", "gateway,receiver,worker")
    with running_stack(tmp_path_factory.mktemp("capacity"), *parts, environ=environ) as running:
        yield running


async def complete(client: AsyncSignalbox, given: ChainInput) -> str:
    """Start a run, answer its question and wait for its end, with one open stream."""
    run_id = (await client.start("chain", given)).run_id
    is_answered = False
    async with aclosing(client.watch(run_id)) as updates:
        async for update in updates:
            if update.snapshot.approvals and not is_answered:
                is_answered = True
                approval = await client.approval(run_id, "go")
                await client.decide(run_id, "go", {"yes": True}, digest=approval.digest)
            if update.has_ended:
                assert update.snapshot.status == "completed", update.snapshot.error
                return run_id
    raise AssertionError("the stream ended before the run")


async def batch(client: AsyncSignalbox, given: ChainInput) -> list[str]:
    left, run_ids = iter(range(RUNS)), []

    async def one_after_another() -> None:
        for _ in left:
            run_ids.append(await complete(client, given))

    async with asyncio.TaskGroup() as group:
        for _ in range(IN_FLIGHT):
            group.create_task(one_after_another())
    return run_ids


def cpu_of(stack: RunningStack) -> dict[str, float]:
    pids = stack.endpoints.pids
    return {part: cpu_s([pids[part]]) for part in PARTS}


async def cost_of(stack: RunningStack, client: AsyncSignalbox, given: ChainInput, idle: Costs) -> Costs:
    """CPU ms, bytes in Redis and in Temporal's history, and actions of a run, without what idling costs."""
    store = redis.asyncio.from_url(str(stack.endpoints.redis))
    memory, cpu = (await store.info("memory"))["used_memory"], cpu_of(stack)
    began = asyncio.get_running_loop().time()
    run_ids = await batch(client, given)
    took_s = asyncio.get_running_loop().time() - began
    costs = {
        part: max(0.0, used - cpu[part] - idle[part] * took_s) / RUNS * 1000
        for part, used in cpu_of(stack).items()
    }
    costs["redis bytes"] = max(0, (await store.info("memory"))["used_memory"] - memory) / RUNS
    await store.aclose()
    temporal = await Client.connect(str(stack.endpoints.temporal))
    history = await temporal.get_workflow_handle(run_key(TENANT, run_ids[-1])).fetch_history()
    costs["history bytes"] = float(sum(event.ByteSize() for event in history.events))
    costs["actions"] = float(billable_actions(history.events).total())
    return costs


async def idle_cpu(stack: RunningStack) -> Costs:
    before = cpu_of(stack)
    await asyncio.sleep(IDLE_S)
    return {part: (used - before[part]) / IDLE_S for part, used in cpu_of(stack).items()}


async def test_a_run_of_another_shape_costs_what_the_model_predicts(stack: RunningStack) -> None:
    async with stack.client() as client:
        for given in (STEPPED, ASKING):
            await batch(client, given)
        idle = await idle_cpu(stack)
        rounds = [
            [await cost_of(stack, client, given, idle) for given in (EMPTY, STEPPED, ASKING, MIXED)]
            for _ in range(ROUNDS)
        ]
    empty, stepped, asking, mixed = (
        {name: min(taken[index][name] for taken in rounds) for name in rounds[0][0]} for index in range(4)
    )
    per_step = {name: (stepped[name] - empty[name]) / STEPS for name in empty}
    per_approval = {name: asking[name] - empty[name] for name in empty}
    sys.stdout.write("\n" + " " * 16 + "a run, a step, an approval; mixed measured, predicted; idle CPU\n")
    for name in empty:
        predicted = empty[name] + MIXED.steps * per_step[name] + per_approval[name]
        sys.stdout.write(
            f"{name:14} {empty[name]:9.2f} {per_step[name]:9.2f} {per_approval[name]:9.2f} "
            f"{mixed[name]:12.1f} {predicted:9.1f} {idle.get(name, 0):9.4f}\n"
        )
    measured = sum(mixed[part] for part in PARTS)
    predicted = sum(empty[part] + MIXED.steps * per_step[part] + per_approval[part] for part in PARTS)
    assert abs(measured / predicted - 1) <= TOLERANCE, (measured, predicted)
