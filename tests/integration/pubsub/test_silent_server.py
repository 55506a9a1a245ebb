"""Servers that send nothing on an idle stream, as Google's emulator does, count as connected."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from signalbox_core.pubsub import PubSubPublisher, Received, Subscriber
from signalbox_core.topology import LIFECYCLE, PROJECTOR, provision_pubsub
from support.assertions.eventually import beside, eventually
from support.fakes.events import story
from support.servers import backends

JARS = Path("/usr/lib/google-cloud-sdk/platform/pubsub-emulator/lib").glob("cloud-pubsub-emulator-*-all.jar")
JAR = os.environ.get("PUBSUB_EMULATOR_JAR") or next((str(path) for path in JARS), None)


class SilentServer(grpc.GenericRpcHandler):
    """Accepts streams and sends nothing on them; refuses a unary call without ids, as Google's servers do."""

    def __init__(self) -> None:
        self.streams = 0

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        if details.method.endswith("/StreamingPull"):
            return grpc.stream_stream_rpc_method_handler(self._stream)
        return grpc.unary_unary_rpc_method_handler(self._refuse)

    async def _stream(
        self, requests: AsyncIterator[bytes], _context: grpc.aio.ServicerContext
    ) -> AsyncIterator[bytes]:
        self.streams += 1
        async for _ in requests:
            pass
        await asyncio.Event().wait()
        yield b""

    async def _refuse(self, _request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "No ack ids specified")
        raise AssertionError


@asynccontextmanager
async def silent_server() -> AsyncIterator[tuple[str, SilentServer]]:
    server, handler = grpc.aio.server(), SilentServer()
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}", handler
    finally:
        await server.stop(0)


async def ignore(_received: Received) -> None:
    pass


async def test_an_idle_stream_of_a_working_server_is_connected() -> None:
    async with silent_server() as (host, _):
        subscriber = Subscriber("test", "sub", emulator_host=host)
        async with beside(subscriber.run(ignore)):
            await eventually(lambda: subscriber.is_connected, within_s=30)


async def test_a_silent_stream_is_opened_again_and_stays_connected() -> None:
    async with silent_server() as (host, server):
        subscriber = Subscriber("test", "sub", emulator_host=host, silence_timeout_s=0.3)
        async with beside(subscriber.run(ignore)):
            await eventually(lambda: subscriber.is_connected, within_s=30)
            seen = server.streams
            interruptions = 0

            def is_reopened() -> bool:
                nonlocal interruptions
                interruptions += not subscriber.is_connected
                return server.streams >= seen + 3

            await eventually(is_reopened, within_s=30)
    assert interruptions == 0


async def test_a_server_that_is_gone_is_not_connected() -> None:
    async with silent_server() as (host, _):
        subscriber = Subscriber("test", "sub", emulator_host=host)
        running = asyncio.create_task(subscriber.run(ignore))
        await eventually(lambda: subscriber.is_connected, within_s=30)
    await eventually(lambda: not subscriber.is_connected, within_s=30)
    running.cancel()
    await asyncio.wait({running})


@pytest.fixture
def google_emulator(tmp_path: Path) -> Iterator[str]:
    if JAR is None or shutil.which("java") is None:
        pytest.skip("needs Google's emulator (PUBSUB_EMULATOR_JAR names the jar) and a Java runtime")
    port = backends.free_port()
    command = ["java", "-jar", JAR, "--host=127.0.0.1", f"--port={port}"]
    with backends.server(command, port, tmp_path / "log") as host:
        yield host


async def test_googles_idle_emulator_is_connected_and_delivers(google_emulator: str) -> None:
    seen: list[str] = []

    async def note(received: Received) -> None:
        seen.append(received.event.id)

    await provision_pubsub("signalbox", emulator_host=google_emulator)
    subscriber = Subscriber("signalbox", PROJECTOR, emulator_host=google_emulator)
    async with (
        beside(subscriber.run(note)),
        PubSubPublisher("signalbox", emulator_host=google_emulator) as publisher,
    ):
        await eventually(lambda: subscriber.is_connected, within_s=30)
        await publisher.publish(LIFECYCLE, story()[0], ordering_key="k")
        await eventually(lambda: seen == [story()[0].id], within_s=30)
