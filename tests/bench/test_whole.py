"""The whole product against plain Temporal and DBOS: the same work, from the client's start to its result.

Ours is a run started through the gateway and watched to its end: signed events, streams and Pub/Sub included.
Plain Temporal is a worker of the SDK on the same server, and a client that waits for the result. DBOS runs on
SQLite in one process, without a server, and only where it is installed (`pip install dbos`); it is a floor.
"""

import asyncio
import importlib.util
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final, Protocol

import pytest
from temporalio.client import Client

from signalbox_client import AsyncSignalbox
from signalbox_core.ids import new_run_id
from signalbox_core.temporal import connect
from support.bench.plain_worker import plain_worker
from support.bench.ratios import paired_ratio
from support.process_cpu import cpu_s
from support.servers.installed_pipelines import install_pipelines
from support.servers.stack import RunningStack, running_stack
from support.whole.chain.contract import ChainInput

TESTS = Path(__file__).parents[1]
ROUNDS: Final = 3
ALONE, RUNS, IN_FLIGHT, WAITING = 8, 60, 20, 100
CHAIN: Final = ChainInput()
QUICK: Final = ChainInput(quick=True)
WIDE: Final = ChainInput(steps=0, parallel=100)
QUESTION: Final = ChainInput(steps=0, asks=True)


class Arm(Protocol):
    name: str

    async def complete(self, given: ChainInput) -> None:
        """Start a run and wait for its result."""
        ...

    def cpu_s(self) -> float:
        """CPU time of all processes behind it so far."""
        ...


class Asking(Arm, Protocol):
    async def ask(self) -> str:
        """Start a run and wait until it asks; returns its id."""
        ...

    async def answer(self, run_id: str) -> None:
        """Answer, and wait until the run has completed."""
        ...


@dataclass
class Ours:
    client: AsyncSignalbox
    pids: Mapping[str, int]
    name: str = "signalbox"

    async def complete(self, given: ChainInput) -> None:
        started = await self.client.start("chain", given)
        await self._until_ended(started.run_id)

    async def ask(self) -> str:
        started = await self.client.start("chain", QUESTION)
        async with aclosing(self.client.watch(started.run_id)) as updates:
            async for update in updates:
                if update.snapshot.approvals:
                    return started.run_id
        raise AssertionError("the run ended without a question")

    async def answer(self, run_id: str) -> None:
        approval = await self.client.approval(run_id, "go")
        await self.client.decide(run_id, "go", {"yes": True}, digest=approval.digest)
        await self._until_ended(run_id)

    def cpu_s(self) -> float:
        return cpu_s([pid for name, pid in self.pids.items() if name != "plain"])

    async def _until_ended(self, run_id: str) -> None:
        async with aclosing(self.client.watch(run_id)) as updates:
            async for update in updates:
                if update.has_ended:
                    assert update.snapshot.status == "completed", update.snapshot.error
                    return


@dataclass
class Plain:
    client: Client
    pids: Mapping[str, int]
    name: str = "temporal"

    async def complete(self, given: ChainInput) -> None:
        await self.client.execute_workflow("plain", given, id=new_run_id("plain"), task_queue="plain")

    async def ask(self) -> str:
        run_id = new_run_id("plain")
        await self.client.start_workflow("plain", QUESTION, id=run_id, task_queue="plain")
        return run_id

    async def answer(self, run_id: str) -> None:
        handle = self.client.get_workflow_handle(run_id)
        await handle.execute_update("answer", True)
        await handle.result()

    def cpu_s(self) -> float:
        return cpu_s([self.pids["temporal"], self.pids["plain"]])


@dataclass
class Dbos:
    process: asyncio.subprocess.Process
    name: str = "dbos"
    waiting: dict[str, asyncio.Event] = field(default_factory=dict)

    async def complete(self, given: ChainInput) -> None:
        run_id = new_run_id("dbos")
        self.waiting[run_id] = asyncio.Event()
        assert self.process.stdin is not None
        self.process.stdin.write(f"{run_id} {given.steps}\n".encode())
        await self.waiting[run_id].wait()
        del self.waiting[run_id]

    async def read(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            self.waiting[line.decode().strip()].set()

    def cpu_s(self) -> float:
        return cpu_s([self.process.pid])


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """The services of production, with the chain pipeline installed as a package of its own."""
    environ = {
        "PYTHONPATH": install_pipelines(tmp_path_factory.mktemp("installed"), "whole", "support.whole"),
        "SIGNALBOX_GATEWAY_REQUESTS_PER_S": "100000",
    }
    parts = ("--only", "gateway,receiver,worker")
    with running_stack(tmp_path_factory.mktemp("whole"), *parts, environ=environ) as running:
        yield running


@asynccontextmanager
async def dbos_worker(folder: Path) -> AsyncIterator[list[Arm]]:
    """The DBOS arm, or nothing where DBOS is not installed."""
    if importlib.util.find_spec("dbos") is None:
        sys.stdout.write("\nwithout DBOS, which is not installed (pip install dbos)\n")
        yield []
        return
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "support.whole.dbos_worker", str(folder)),
        cwd=TESTS,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    arm = Dbos(process)
    reading = asyncio.create_task(arm.read())
    try:
        yield [arm]
    finally:
        process.terminate()
        await process.wait()
        await reading


async def latency_ms(arm: Arm, given: ChainInput) -> float:
    """Median of ALONE runs, one at a time."""
    times = []
    for _ in range(ALONE):
        began = time.perf_counter()
        await arm.complete(given)
        times.append((time.perf_counter() - began) * 1000)
    return median(times)


async def spread(count: int, work: Callable[[], Awaitable[None]]) -> float:
    """Calls a second, with IN_FLIGHT at a time."""
    left = iter(range(count))

    async def one_after_another() -> None:
        for _ in left:
            await work()

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(IN_FLIGHT):
            group.create_task(one_after_another())
    return count / (time.perf_counter() - began)


async def test_the_whole_product_beside_its_peers(stack: RunningStack, tmp_path: Path) -> None:
    address = str(stack.endpoints.temporal)
    table: dict[str, dict[str, list[float]]] = {}

    def note(what: str, arm: str, value: float) -> None:
        table.setdefault(what, {}).setdefault(arm, []).append(value)

    with plain_worker(address) as plain_pid:
        pids = stack.endpoints.pids | {"plain": plain_pid}
        async with stack.client() as client, dbos_worker(tmp_path) as dbos:
            ours, plain = Ours(client, pids), Plain(await connect(address, "default"), pids)
            arms: list[Arm] = [ours, plain, *dbos]
            for arm in arms:
                await arm.complete(CHAIN)
            for turn in range(ROUNDS):
                for arm in arms if turn % 2 else reversed(arms):
                    note("ten steps, one run at a time: ms", arm.name, await latency_ms(arm, CHAIN))
                    before = arm.cpu_s()
                    rate = await spread(RUNS, lambda arm=arm: arm.complete(CHAIN))
                    note("ten steps, 20 runs in flight: runs/s", arm.name, rate)
                    note("ten steps: CPU ms a run", arm.name, (arm.cpu_s() - before) / RUNS * 1000)
                note("ten quick steps, one run at a time: ms", ours.name, await latency_ms(ours, QUICK))
                for asking in (ours, plain):
                    note("100 at once: ms", asking.name, await latency_ms(asking, WIDE))
                    alone, rate = await answers(asking)
                    note("answer to completed: ms", asking.name, alone)
                    note(f"{WAITING} waiting: answers/s", asking.name, rate)
    report(table)
    check(table)


async def answers(arm: Asking) -> tuple[float, float]:
    """Median ms from an answer to the end of its run, and answers a second to many waiting runs."""
    times = []
    for _ in range(ALONE):
        run_id = await arm.ask()
        began = time.perf_counter()
        await arm.answer(run_id)
        times.append((time.perf_counter() - began) * 1000)
    waiting = iter(await asyncio.gather(*(arm.ask() for _ in range(WAITING))))
    return median(times), await spread(WAITING, lambda: arm.answer(next(waiting)))


def report(table: Mapping[str, Mapping[str, list[float]]]) -> None:
    sys.stdout.write("\n")
    for what, arms in table.items():
        figures = ", ".join(f"{name} {median(values):.1f}" for name, values in arms.items())
        peer = arms.get("temporal")
        ratio = f"; {paired_ratio(arms['signalbox'], peer)} × plain" if peer else ""
        sys.stdout.write(f"{what:42} {figures}{ratio}\n")


LIMITS: Final[Mapping[str, tuple[float, str]]] = {
    "ten steps, one run at a time: ms": (1.6, "<="),
    "ten steps, 20 runs in flight: runs/s": (0.4, ">="),
    "ten steps: CPU ms a run": (3.0, "<="),
    "100 at once: ms": (2.0, "<="),
    "answer to completed: ms": (3.0, "<="),
    f"{WAITING} waiting: answers/s": (0.3, ">="),
}
"""The ratio to plain Temporal that each figure must keep; the goals are in docs/benchmarks.md."""


def check(table: Mapping[str, Mapping[str, list[float]]]) -> None:
    failed = []
    for what, (limit, relation) in LIMITS.items():
        ratio = paired_ratio(table[what]["signalbox"], table[what]["temporal"])
        # Judged by the end of the interval that is in favour: the machine's noise is no regression.
        is_good = ratio.low <= limit if relation == "<=" else ratio.high >= limit
        if not is_good:
            failed.append(f"{what}: {ratio} × plain, limit {relation} {limit}")
    assert not failed, failed
