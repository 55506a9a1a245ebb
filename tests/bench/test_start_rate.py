"""Runs started per second: through the gateway, against the Temporal client used directly. Goal: 0.9 of it.

Both arms start the same workflow with the same memo and search attributes on one server, in turns, with as
many requests in flight. Each request has an `Idempotency-Key`, as every client of ours sends one; a run id
that the caller chooses costs one more call of Temporal, which asks for a workflow of that id.
"""

import asyncio
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median

import msgspec
import pytest
from temporalio.client import Client, WorkflowExecution
from temporalio.common import Priority, SearchAttributePair, TypedSearchAttributes, WorkflowIDReusePolicy

from signalbox_core.ids import new_run_id
from signalbox_core.pipeline import discover
from signalbox_core.temporal import connect, names
from signalbox_core.topology import provision
from support.assertions.eventually import eventually
from support.bench.ratios import Ratio, paired_ratio
from support.bench.raw_http import RawConnection, raw_connection
from support.servers import backends
from support.servers.gateway import caller_of, environment, gateway_process, secret_of

# Many short turns, so that what else the machine does weighs on both arms alike; more while it is busy.
ROUNDS, MAX_ROUNDS, STARTS, IN_FLIGHT = 20, 80, 64, 16
PROJECT = "signalbox-bench"
GOAL, TOLERANCE = 0.9, 0.1
"""A run fails when its interval leaves the goal out, and when it is far below in spite of a wide interval."""
INPUT = {"url": "https://shop.example/coffee"}
START = msgspec.json.encode({"pipeline": "ad_creative", "input": INPUT})
Start = Callable[[], Awaitable[None]]


@pytest.fixture
async def through_gateway(
    temporal_address: str, redis_url: str, pubsub_host: str, tmp_path: Path
) -> AsyncIterator[Start]:
    await provision(PROJECT, emulator_host=pubsub_host, temporal=await connect(temporal_address, "default"))
    port = backends.free_port()
    variables = environment(
        tmp_path, temporal=temporal_address, redis=redis_url, pubsub=pubsub_host, port=port, project=PROJECT
    )
    with gateway_process(variables, tmp_path) as process:
        async with caller_of(process, port), AsyncExitStack() as stack:
            idle = asyncio.LifoQueue[RawConnection]()
            for _ in range(IN_FLIGHT):
                idle.put_nowait(await stack.enter_async_context(raw_connection(port, secret_of("admin"))))

            async def start() -> None:
                one = await idle.get()
                try:
                    await one.post("/v1/runs", START, expected=201, idempotency_key=uuid.uuid4().hex)
                finally:
                    idle.put_nowait(one)

            yield start


@pytest.fixture
async def direct(temporal_address: str, through_gateway: Start) -> Start:
    """The client alone: the same workflow, memo, search attributes and priority as a gateway's run has."""
    client, spec = await connect(temporal_address, "default"), discover()["ad_creative"]
    request = msgspec.convert(INPUT, spec.input)
    await through_gateway()
    started = await eventually(lambda: newest_run(client), within_s=60)
    memo, found = await started.memo(), started.typed_search_attributes
    keys = (names.SEARCH_TENANT, names.SEARCH_PIPELINE, names.SEARCH_FIND)
    pairs = [SearchAttributePair(key, found[key]) for key in keys]

    async def start() -> None:
        await client.start_workflow(
            spec.name,
            request,
            id=new_run_id("bench"),
            task_queue=spec.task_queue,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            memo=memo,
            search_attributes=TypedSearchAttributes(pairs),
            priority=Priority(fairness_key="acme"),
        )

    return start


async def newest_run(client: Client) -> WorkflowExecution | None:
    return await anext(aiter(client.list_workflows("WorkflowType = 'ad_creative'")), None)


async def rate(start: Start) -> float:
    """Starts per second with IN_FLIGHT at a time."""
    left = iter(range(STARTS))

    async def one_after_another() -> None:
        for _ in left:
            await start()

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(IN_FLIGHT):
            group.create_task(one_after_another())
    return STARTS / (time.perf_counter() - began)


def compared(rates: Mapping[str, Sequence[float]]) -> Ratio:
    return paired_ratio(rates["gateway"], rates["direct"])


async def test_starting_through_the_gateway_costs_little(through_gateway: Start, direct: Start) -> None:
    arms = {"gateway": through_gateway, "direct": direct}
    rates: dict[str, list[float]] = {name: [] for name in arms}
    for start in arms.values():
        await rate(start)
    for turn in range(MAX_ROUNDS):
        for name in sorted(arms) if turn % 2 else sorted(arms, reverse=True):
            rates[name].append(await rate(arms[name]))
        if turn + 1 >= ROUNDS and compared(rates).settles(GOAL, 2 * TOLERANCE):
            break

    ratio = compared(rates)
    ours, theirs = median(rates["gateway"]), median(rates["direct"])
    sys.stdout.write(f"\nstarts/s through the gateway {ours:.0f}, direct {theirs:.0f}, ratio {ratio}\n")
    assert ratio.high >= GOAL
    assert ratio.value >= GOAL - TOLERANCE
