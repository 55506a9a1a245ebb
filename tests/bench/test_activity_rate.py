"""Activities per second in a step of 25 parallel ones, events on, against a bare worker of the SDK. Goal: 0.9
of it.

Both arms run on one Temporal server, in turns, with as many workflows in flight; ours delivers its milestones
to a real receiver.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import pytest
from temporalio.client import Client

from signalbox_core.ids import new_run_id
from signalbox_core.temporal import connect, names
from support.bench.ratios import paired_ratio
from support.rate.contract import RateInput
from support.servers.stack import RunningStack, running_stack

ROUNDS, MAX_ROUNDS, WORKFLOWS, IN_FLIGHT, ACTIVITIES = 5, 20, 24, 4, 25
GOAL, TOLERANCE = 0.9, 0.1
"""A run fails when its interval leaves the goal out, and when it is far below in spite of a wide interval."""
TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with running_stack(tmp_path_factory.mktemp("rate"), "--only", "temporal,receiver") as running:
        yield running


@contextmanager
def worker(arm: str, environ: Mapping[str, str]) -> Iterator[None]:
    command = [sys.executable, "-m", "support.rate", arm]
    with subprocess.Popen(
        command, cwd=TESTS, env={**os.environ, **environ}, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            yield
        finally:
            process.terminate()


def environment(stack: RunningStack, folder: Path) -> dict[str, str]:
    endpoints = stack.endpoints
    assert endpoints.receiver_key is not None
    return {
        "TEMPORAL_ADDRESS": str(endpoints.temporal),
        "SIGNALBOX_WORKER_RECEIVER_URL": f"{endpoints.receiver}/v1/events",
        "SIGNALBOX_WORKER_KEYID": endpoints.receiver_key.keyid,
        "SIGNALBOX_WORKER_PRIVATE_KEY_FILE": str(endpoints.receiver_key.private_key_file),
        "SIGNALBOX_WORKER_OBJECTS_URL": f"file://{folder}",
        "SIGNALBOX_WORKER_PORT": "0",
    }


async def rate(client: Client, arm: str) -> float:
    """Activities per second over WORKFLOWS workflows, IN_FLIGHT at a time."""
    left = iter(range(WORKFLOWS))
    kind, queue = ("rate", "rate") if arm == "ours" else ("bare", arm)

    async def one_after_another() -> None:
        for _ in left:
            memo = {names.MEMO_TENANT: "bench"}
            await client.execute_workflow(
                kind, RateInput(activities=ACTIVITIES), id=new_run_id(arm), task_queue=queue, memo=memo
            )

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(IN_FLIGHT):
            group.create_task(one_after_another())
    return WORKFLOWS * ACTIVITIES / (time.perf_counter() - began)


async def compare(stack: RunningStack, folder: Path, ours: str, bare: str) -> None:
    """Both arms in turns; a failure when ours has less than GOAL of the other's rate."""
    environ = environment(stack, folder)
    client = await connect(str(stack.endpoints.temporal), "default")
    rates: dict[str, list[float]] = {ours: [], bare: []}
    with worker(ours, environ), worker(bare, environ):
        for arm in rates:
            await rate(client, arm)
        for turn in range(MAX_ROUNDS):
            for arm in sorted(rates, reverse=bool(turn % 2)):
                rates[arm].append(await rate(client, arm))
            if turn + 1 >= ROUNDS and paired_ratio(rates[ours], rates[bare]).settles(GOAL, 2 * TOLERANCE):
                break
    ratio = paired_ratio(rates[ours], rates[bare])
    sys.stdout.write(
        f"\nactivities/s: {ours} {median(rates[ours]):.0f}, {bare} {median(rates[bare]):.0f}, ratio {ratio}\n"
    )
    assert ratio.high >= GOAL
    assert ratio.value >= GOAL - TOLERANCE


async def test_events_cost_a_step_little(stack: RunningStack, tmp_path: Path) -> None:
    await compare(stack, tmp_path, "ours", "bare")


async def test_the_plugin_costs_a_plain_worker_little(stack: RunningStack, tmp_path: Path) -> None:
    await compare(stack, tmp_path, "shown", "plain")
