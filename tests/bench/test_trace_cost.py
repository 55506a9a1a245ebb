"""What exported spans cost: CPU of gateway, receiver and worker a run, with traces and without. Goal: 3 %.

Two stacks run side by side and do the same runs in turns. The collector only counts what it receives.
"""

import asyncio
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, aclosing
from pathlib import Path
from statistics import median
from typing import Final

import pytest

from signalbox_client import AsyncSignalbox
from support.bench.ratios import paired_ratio
from support.process_cpu import cpu_s
from support.servers.installed_pipelines import install_pipelines
from support.servers.otlp_collector import collecting
from support.servers.stack import RunningStack, running_stack
from support.whole.chain.contract import ChainInput

# Many turns: what the machine does besides weighs on both arms; more while it is busy.
ROUNDS: Final = int(os.environ.get("SIGNALBOX_BENCH_ROUNDS", "10"))
MAX_ROUNDS, RUNS, IN_FLIGHT = 4 * ROUNDS, 24, 6
LIMIT, TOLERANCE = 1.1, 0.03
"""A run fails when its interval lies above the limit, or when it is far above in spite of a wide one."""
PARTS: Final = ("gateway", "receiver", "worker")


class CountingCollector:
    """Counts the requests of exporters; decoding would take CPU from what is measured."""

    def __init__(self) -> None:
        self.requests = 0
        self.url = ""

    def take(self, _body: bytes, _headers: Mapping[str, str]) -> int:
        self.requests += 1
        return 200


def pids(stack: RunningStack) -> list[int]:
    return [pid for name, pid in stack.endpoints.pids.items() if name.rstrip("-0123456789") in PARTS]


async def complete(client: AsyncSignalbox) -> None:
    run_id = (await client.start("chain", ChainInput())).run_id
    async with aclosing(client.watch(run_id)) as updates:
        async for update in updates:
            if update.has_ended:
                assert update.snapshot.status == "completed", update.snapshot.error
                return


async def work(client: AsyncSignalbox) -> None:
    """RUNS runs with IN_FLIGHT at a time."""
    left = iter(range(RUNS))

    async def one_after_another() -> None:
        for _ in left:
            await complete(client)

    async with asyncio.TaskGroup() as group:
        for _ in range(IN_FLIGHT):
            group.create_task(one_after_another())


async def cpu_ms(stacks: Mapping[str, RunningStack], order: Sequence[str]) -> dict[str, float]:
    """CPU milliseconds a run of each stack, over a turn of both.

    Spans are exported every five seconds, also while the other stack works. What a stack does when it is idle
    counts in both alike.
    """
    measured = {name: pids(stacks[name]) for name in order}
    before = {name: cpu_s(measured[name]) for name in order}
    for name in order:
        async with stacks[name].client() as client:
            await work(client)
    return {name: (cpu_s(measured[name]) - before[name]) / RUNS * 1000 for name in order}


@pytest.fixture
def stacks(tmp_path: Path) -> Iterator[Mapping[str, RunningStack]]:
    environ = {
        "PYTHONPATH": install_pipelines(tmp_path / "installed", "whole", "support.whole"),
        "SIGNALBOX_GATEWAY_REQUESTS_PER_S": "100000",
    }
    with collecting(CountingCollector()) as collector, ExitStack() as opened:
        traced = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        yield {
            name: opened.enter_context(
                running_stack(tmp_path / name, "--only", ",".join(PARTS), environ=environ | added)
            )
            for name, added in (("traced", traced), ("plain", {}))
        }
        assert collector.requests > 0


@pytest.mark.timeout(1800)
async def test_traces_cost_little_cpu(stacks: Mapping[str, RunningStack]) -> None:
    used: dict[str, list[float]] = {name: [] for name in stacks}
    await cpu_ms(stacks, sorted(stacks))
    for turn in range(MAX_ROUNDS):
        found = await cpu_ms(stacks, sorted(stacks, reverse=bool(turn % 2)))
        for name, value in found.items():
            used[name].append(value)
        if turn + 1 >= ROUNDS and paired_ratio(used["traced"], used["plain"]).settles(LIMIT, TOLERANCE):
            break

    ratio = paired_ratio(used["traced"], used["plain"])
    with_, without = median(used["traced"]), median(used["plain"])
    sys.stdout.write(
        f"\nCPU of a run with traces {with_:.0f} ms, without {without:.0f} ms, ratio "
        f"{ratio.value:.3f} ({ratio.low:.3f} to {ratio.high:.3f}) after {len(used['plain'])} turns\n"
    )
    assert ratio.low <= LIMIT
    assert ratio.value <= LIMIT + TOLERANCE
