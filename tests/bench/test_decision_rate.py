"""Decisions a second through the gateway, and from a click to `approval.decided` on the stream.

The peer is a bare Temporal update of a workflow that waits for an answer, on the same server, in turns with
as many calls in flight. Goals: 0.8 of its rate, twice its latency. Rounds are added until both ratios settle.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from statistics import median
from typing import Final
from urllib.parse import urlsplit

import msgspec
import pytest
from temporalio.client import Client

from signalbox_client import AsyncSignalbox
from signalbox_core.ids import new_run_id
from signalbox_core.temporal import connect
from support.bench.plain_worker import plain_worker
from support.bench.ratios import Ratio, paired_ratio
from support.bench.raw_http import RawConnection, raw_connection
from support.servers.installed_pipelines import install_pipelines
from support.servers.stack import RunningStack, running_stack
from support.whole.chain.contract import ChainInput

ROUNDS, MAX_ROUNDS = 5, 20
DECISIONS, ALONE, IN_FLIGHT = 32, 6, 16
RATE_GOAL, LATENCY_GOAL = 0.8, 2.0
RATE_TOLERANCE, LATENCY_TOLERANCE = 0.1, 0.25
"""A run fails if its interval excludes the goal, or if it is far from the goal however wide the interval."""
QUESTION: Final = ChainInput(steps=0, asks=True)
Decide = Callable[[str], Awaitable[None]]


class GatewayArm:
    """Decisions of a person through the gateway, and the stream of the run."""

    def __init__(self, stack: RunningStack, client: AsyncSignalbox) -> None:
        self._client = client
        self._port = urlsplit(str(stack.endpoints.gateway)).port or 0
        self._key = stack.endpoints.api_keys["admin"]
        self._idle = asyncio.LifoQueue[RawConnection]()
        self._digest = ""

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for _ in range(IN_FLIGHT):
                self._idle.put_nowait(await stack.enter_async_context(raw_connection(self._port, self._key)))
            run_id = await self.ask()
            self._digest = (await self._client.approval(run_id, "go")).digest
            await self.decide(run_id)
            yield

    async def ask(self) -> str:
        started = await self._client.start("chain", QUESTION)
        async with raw_connection(self._port, self._key) as connection:
            await connection.open_stream(f"/v1/runs/{started.run_id}/stream")
            await connection.read_until(b'"approval_id":"go"')
        return started.run_id

    async def decide(self, run_id: str) -> None:
        connection = await self._idle.get()
        try:
            body = msgspec.json.encode({"answer": {"yes": True}, "digest": self._digest})
            await connection.post(f"/v1/runs/{run_id}/approvals/go/decision", body, expected=200)
        finally:
            self._idle.put_nowait(connection)

    async def decide_and_watch(self, run_id: str) -> float:
        """Milliseconds from the click to the event on a stream that was open before."""
        async with raw_connection(self._port, self._key) as stream:
            await stream.open_stream(f"/v1/runs/{run_id}/stream")
            await stream.read_until(b"event: snapshot")
            began = time.perf_counter()
            _, at = await asyncio.gather(self.decide(run_id), self._seen_at(stream))
        return (at - began) * 1000

    async def _seen_at(self, stream: RawConnection) -> float:
        await stream.read_until(b"approval.decided")
        return time.perf_counter()


class BareArm:
    """An update of a workflow of the SDK that waits for an answer."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def ask(self) -> str:
        run_id = new_run_id("plain")
        await self._client.start_workflow("plain", QUESTION, id=run_id, task_queue="plain")
        return run_id

    async def decide(self, run_id: str) -> None:
        await self._client.get_workflow_handle(run_id).execute_update("answer", True)

    async def decide_ms(self, run_id: str) -> float:
        began = time.perf_counter()
        await self.decide(run_id)
        return (time.perf_counter() - began) * 1000


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    environ = {
        "PYTHONPATH": install_pipelines(tmp_path_factory.mktemp("installed"), "whole", "support.whole"),
        "SIGNALBOX_GATEWAY_REQUESTS_PER_S": "100000",
    }
    parts = ("--only", "gateway,receiver,worker")
    with running_stack(tmp_path_factory.mktemp("decisions"), *parts, environ=environ) as running:
        yield running


async def in_flight(items: Sequence[str], work: Decide) -> None:
    left = iter(items)

    async def one_after_another() -> None:
        for item in left:
            await work(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(IN_FLIGHT):
            group.create_task(one_after_another())


async def ask_all(arm: GatewayArm | BareArm, count: int) -> list[str]:
    asked: list[str] = []

    async def ask(_: str) -> None:
        asked.append(await arm.ask())

    await in_flight([""] * count, ask)
    return asked


async def rate(arm: GatewayArm | BareArm) -> float:
    """Decisions a second with IN_FLIGHT at a time, of questions that were asked before."""
    waiting = await ask_all(arm, DECISIONS)
    began = time.perf_counter()
    await in_flight(waiting, arm.decide)
    return DECISIONS / (time.perf_counter() - began)


async def latency_ms(arm: GatewayArm | BareArm) -> float:
    """Median of decisions one at a time."""
    waiting = await ask_all(arm, ALONE)
    decide = arm.decide_and_watch if isinstance(arm, GatewayArm) else arm.decide_ms
    return median([await decide(run_id) for run_id in waiting])


def ratios(figures: Mapping[str, Sequence[float]]) -> tuple[Ratio, Ratio]:
    """Of rates and of latencies."""
    rates = paired_ratio(figures["gateway rate"], figures["bare rate"])
    return rates, paired_ratio(figures["gateway ms"], figures["bare ms"])


def is_settled(figures: Mapping[str, Sequence[float]]) -> bool:
    """Whether more rounds would hardly change either ratio."""
    rates, latencies = ratios(figures)
    return rates.settles(RATE_GOAL, 2 * RATE_TOLERANCE) and latencies.settles(
        LATENCY_GOAL, 2 * LATENCY_TOLERANCE
    )


async def test_decisions_cost_little_more_than_a_bare_update(stack: RunningStack) -> None:
    address = str(stack.endpoints.temporal)
    figures: dict[str, list[float]] = {}
    with plain_worker(address):
        async with stack.client() as client:
            gateway, bare = GatewayArm(stack, client), BareArm(await connect(address, "default"))
            arms: dict[str, GatewayArm | BareArm] = {"gateway": gateway, "bare": bare}
            async with gateway.connected():
                await rate(gateway)
                await rate(bare)
                for turn in range(MAX_ROUNDS):
                    for name in sorted(arms) if turn % 2 else sorted(arms, reverse=True):
                        figures.setdefault(f"{name} rate", []).append(await rate(arms[name]))
                        figures.setdefault(f"{name} ms", []).append(await latency_ms(arms[name]))
                    if turn + 1 >= ROUNDS and is_settled(figures):
                        break
    rates, latencies = ratios(figures)
    sys.stdout.write(
        f"\ndecisions/s through the gateway {median(figures['gateway rate']):.0f}, "
        f"bare updates {median(figures['bare rate']):.0f}, ratio {rates}\n"
        f"click to approval.decided on the stream, p50 {median(figures['gateway ms']):.1f} ms, "
        f"bare update {median(figures['bare ms']):.1f} ms, ratio {latencies}\n"
    )
    assert rates.high >= RATE_GOAL
    assert rates.value >= RATE_GOAL - RATE_TOLERANCE
    assert latencies.low <= LATENCY_GOAL
    assert latencies.value <= LATENCY_GOAL + LATENCY_TOLERANCE
