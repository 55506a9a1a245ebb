"""A gateway that may open 256 files: excess streams are deferred, and all other requests are answered."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from msgspec import Struct
from temporalio.client import Client

from signalbox_core.process.open_files import open_file_limit, raise_open_file_limit
from signalbox_core.topology import provision_pubsub
from signalbox_gateway.streaming.limits import RESERVED_FILES, StreamLimits, stream_limits
from support.assertions.eventually import eventually
from support.drivers.inbox_stream import OpenStream, open_inbox_stream
from support.servers import backends
from support.servers.gateway import caller_of, environment, gateway_process, settings

PROJECT, OPEN_FILES = "signalbox-test", 256
STREAMS = OPEN_FILES - RESERVED_FILES


class Process(Struct, frozen=True):
    port: int
    caller: httpx2.AsyncClient
    log: Path

    async def answers(self) -> bool:
        return (await self.caller.get("/v1/runs")).status_code == 200


@pytest.fixture
async def variables(
    tmp_path: Path, temporal: Client, temporal_address: str, redis_url: str, pubsub_host: str
) -> Mapping[str, str]:
    await provision_pubsub(PROJECT, emulator_host=pubsub_host)
    return environment(
        tmp_path,
        temporal=temporal_address,
        redis=redis_url,
        pubsub=pubsub_host,
        port=backends.free_port(),
        project=PROJECT,
    )


@pytest.fixture
async def gateway(variables: Mapping[str, str], tmp_path: Path) -> AsyncIterator[Process]:
    port = int(variables["SIGNALBOX_GATEWAY_PORT"])
    more = {"SIGNALBOX_GATEWAY_MAX_LISTENERS_PER_TENANT": "1000", "SIGNALBOX_GATEWAY_REQUESTS_PER_S": "10000"}
    limit = ("prlimit", f"--nofile={OPEN_FILES}:{OPEN_FILES}")
    with gateway_process({**variables, **more}, tmp_path, prefix=limit) as process:
        async with caller_of(process, port) as caller:
            yield Process(port, caller, tmp_path / "log")


@asynccontextmanager
async def opened(gateway: Process, count: int) -> AsyncIterator[list[OpenStream]]:
    async with AsyncExitStack() as closing:
        streams = []
        for _ in range(count):
            stream = await open_inbox_stream(gateway.port)
            closing.callback(stream.writer.close)
            streams.append(stream)
        yield streams


async def test_streams_leave_files_to_requests(gateway: Process) -> None:
    async with opened(gateway, STREAMS + 20) as streams:
        assert [stream.is_deferred for stream in streams] == [False] * STREAMS + [True] * 20
        assert await gateway.answers()
        assert (await gateway.caller.get("/readyz")).status_code == 200

    async def has_room() -> bool:
        async with opened(gateway, 1) as (stream,):
            return not stream.is_deferred

    await eventually(has_room, within_s=30)
    lines = [json.loads(line) for line in gateway.log.read_text().splitlines()]
    (warning,) = [line for line in lines if "ulimit -n" in line["message"]]
    assert (warning["open_files"], warning["listeners"]) == (OPEN_FILES, STREAMS)
    assert not [line for line in lines if "Too many open files" in json.dumps(line)]


async def test_connections_that_use_up_all_files_do_not_end_streams(gateway: Process) -> None:
    """They get no answer; they are closed when they send no request, and then all is as before."""
    async with opened(gateway, 1) as (stream,), AsyncExitStack() as closing:
        for _ in range(OPEN_FILES + 50):
            _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
            closing.callback(writer.close)

        async def answers() -> bool:
            try:
                return await gateway.answers()
            except httpx2.TransportError:
                return False

        await eventually(answers, within_s=60)
        assert not stream.reader.at_eof()


@pytest.mark.parametrize(
    ("open_files", "expected"),
    [(1_000_000, 5_000), (5_000 + RESERVED_FILES, 5_000), (1_024, 1_024 - RESERVED_FILES), (64, 1)],
)
def test_streams_get_what_the_limit_of_open_files_leaves(
    tmp_path: Path, open_files: int, expected: int
) -> None:
    configured = settings(tmp_path, temporal="127.0.0.1:1", redis="redis://127.0.0.1:1/0")
    assert stream_limits(configured, open_files).listeners == expected
    assert stream_limits(configured, 1_000_000) == StreamLimits()


def test_a_process_raises_its_limit_to_what_is_permitted() -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(512, hard), hard))
    try:
        raise_open_file_limit()
        assert open_file_limit() == hard
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
