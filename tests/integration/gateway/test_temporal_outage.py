"""While Temporal is unavailable, calls that need it fail at once instead of after their deadline."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from signalbox_gateway.app import Gateway
from support.servers import backends
from support.servers.gateway import client_of, gateway_parts

Outage = Callable[[], AbstractAsyncContextManager[str]]
START = {"pipeline": "echo", "input": {"text": "hi"}}
# A call takes about a second. The bound is far from it and from the deadline, for a busy machine.
DEADLINE, PROMPT_S = timedelta(seconds=60), 20
CALLS = [
    ("GET", "/v1/runs"),
    ("GET", "/v1/runs/run-unknown"),
    ("GET", "/v1/runs/run-unknown/result"),
    ("POST", "/v1/runs/run-unknown/cancel"),
    ("POST", "/v1/runs/run-unknown/pause"),
    ("GET", "/v1/runs/run-unknown/approvals/a"),
]


@asynccontextmanager
async def unresponsive_server() -> AsyncIterator[str]:
    """A server that accepts connections and never responds."""
    connections = []

    async def hold(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in connections:
            writer.close()


@asynccontextmanager
async def refusing_server() -> AsyncIterator[str]:
    yield f"127.0.0.1:{backends.free_port()}"


@pytest.mark.parametrize("outage", [refusing_server, unresponsive_server])
async def test_every_call_fails_promptly(
    outage: Outage, redis_url: str, pubsub_host: str, tmp_path: Path
) -> None:
    async with (
        outage() as address,
        gateway_parts(tmp_path, temporal=address, redis=redis_url, pubsub=pubsub_host) as parts,
    ):
        await parts.redis.flushdb()
        async with client_of(Gateway(parts, deadline=DEADLINE).app()) as caller:
            # One after the other: the first call of an outage is bounded too.
            for method, path in CALLS:
                began = time.perf_counter()
                answer = await caller.request(method, path, json={} if method == "POST" else None)
                assert time.perf_counter() - began < PROMPT_S, path
                assert (answer.status_code, answer.json()["code"]) == (503, "temporal_unavailable"), path


@pytest.mark.parametrize("outage", [refusing_server, unresponsive_server])
async def test_the_first_start_of_an_outage_is_queued_promptly(
    outage: Outage, redis_url: str, pubsub_host: str, tmp_path: Path
) -> None:
    async with (
        outage() as address,
        gateway_parts(tmp_path, temporal=address, redis=redis_url, pubsub=pubsub_host) as parts,
        client_of(Gateway(parts, deadline=DEADLINE).app()) as caller,
    ):
        began = time.perf_counter()
        answer = await caller.post("/v1/runs", json=START)

    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    assert time.perf_counter() - began < PROMPT_S
