"""Runs started per second: through the gateway, against the Temporal client used directly. Goal: at least 0.9 of it.

Both arms start the same workflow with the same memo and search attributes on one server, in turns, with as many requests in flight.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median

import msgspec
import pytest
from signalbox_core.ids import new_run_id
from signalbox_core.pipeline import discover
from signalbox_core.temporal import connect
from signalbox_core.topology import provision
from signalbox_gateway.answers import StartRun
from signalbox_gateway.auth import Principal, Role
from signalbox_gateway.engine import Engine
from signalbox_gateway.starts import order_of
from support import servers
from support.gateway import caller_of, environment, gateway_process, secret_of

ROUNDS, STARTS, IN_FLIGHT = 5, 200, 16
PROJECT = "signalbox-bench"
INPUT = {"url": "https://shop.example/coffee"}
Start = Callable[[], Awaitable[None]]
HEAD = (
    f"POST /v1/runs HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {secret_of('admin')}\r\ncontent-type: application/json\r\ncontent-length: "
)


class Connection:
    """One kept-alive connection that starts runs."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def post(self, body: bytes) -> None:
        self._writer.write(f"{HEAD}{len(body)}\r\n\r\n".encode() + body)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        answer = await self._reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]))
        assert head.startswith(b"http/1.1 201 "), answer


@asynccontextmanager
async def connection(port: int) -> AsyncIterator[Connection]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Connection(reader, writer)
    finally:
        writer.close()
        await writer.wait_closed()


@pytest.fixture
async def through_gateway(temporal_address: str, redis_url: str, pubsub_host: str, tmp_path: Path) -> AsyncIterator[Start]:
    await provision(PROJECT, emulator_host=pubsub_host, temporal=await connect(temporal_address, "default"))
    port = servers.free_port()
    variables = environment(tmp_path, temporal=temporal_address, redis=redis_url, pubsub=pubsub_host, port=port, project=PROJECT)
    with gateway_process(variables, tmp_path) as process:
        async with caller_of(process, port), AsyncExitStack() as stack:
            # A general HTTP client costs more than the gateway does, and this machine runs both: bare connections say less of it.
            idle = asyncio.LifoQueue[Connection]()
            for _ in range(IN_FLIGHT):
                idle.put_nowait(await stack.enter_async_context(connection(port)))

            async def start() -> None:
                one = await idle.get()
                try:
                    await one.post(msgspec.json.encode({"pipeline": "ad_creative", "input": INPUT, "run_id": new_run_id("bench")}))
                finally:
                    idle.put_nowait(one)

            yield start


@pytest.fixture
async def direct(temporal_address: str) -> Start:
    """The client with everything made ready: what is left is the call itself."""
    engine, spec = Engine(await connect(temporal_address, "default")), discover()["ad_creative"]
    principal = Principal(key_id="k", name="lan", tenant="acme", roles=frozenset({Role.ADMIN}))
    request = StartRun(pipeline=spec.name, input=msgspec.Raw(msgspec.json.encode(INPUT)))
    order = order_of(request, spec, "", principal)

    async def start() -> None:
        assert await engine.start(msgspec.structs.replace(order, run_id=new_run_id("bench")), spec)

    return start


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


async def test_starting_through_the_gateway_costs_little(through_gateway: Start, direct: Start) -> None:
    arms = {"gateway": through_gateway, "direct": direct}
    rates: dict[str, list[float]] = {name: [] for name in arms}
    for start in arms.values():
        await rate(start)
    for turn in range(ROUNDS):
        for name in sorted(arms) if turn % 2 else sorted(arms, reverse=True):
            rates[name].append(await rate(arms[name]))

    ratios = [through / straight for through, straight in zip(rates["gateway"], rates["direct"], strict=True)]
    ours, theirs = median(rates["gateway"]), median(rates["direct"])
    sys.stdout.write(f"\nstarts/s through the gateway {ours:.0f}, direct {theirs:.0f}, ratio {median(ratios):.2f}\n")
    assert median(ratios) >= 0.9
