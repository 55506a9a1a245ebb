"""Stream endpoints on real sockets: uvicorn in this process, a concurrent reader, and a Redis to kill."""

import asyncio
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import msgspec
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.routing import Route
from starlette.types import ASGIApp

from signalbox_core.crypto.api_keys import Role
from signalbox_core.events import Snapshot
from signalbox_core.http.connection import ConnectionLimits
from signalbox_core.http.server import HttpServer
from signalbox_core.process.tasks import cancel_and_wait
from signalbox_core.streams import RedisChannels, RedisRunStream
from signalbox_core.subjects import Subject
from signalbox_gateway.auth.principal import Principal
from signalbox_gateway.http.server import create_gateway_server, limit_stalled_readers
from signalbox_gateway.streaming.endpoint import StreamEndpoint
from signalbox_gateway.streaming.hub import Hub
from signalbox_gateway.streaming.limits import StreamLimits
from signalbox_gateway.streaming.refusals import StreamRefusals
from support.assertions.eventually import beside, eventually
from support.drivers import sse
from support.servers import backends


class Gateway:
    """A gateway's stream endpoints."""

    def __init__(self, client: Redis, limits: StreamLimits | None = None) -> None:
        self.streams = RedisRunStream(client)
        self.from_temporal: dict[str, Snapshot] = {}
        self.hub = Hub(RedisChannels(client), self.streams, self._fallback, _present, limits)
        endpoint = StreamEndpoint(self.hub, _authorize, _authenticate, refusals=StreamRefusals())
        self.app = Starlette(
            routes=[Route("/v1/runs/{run_id}/stream", endpoint), Route("/v1/stream", endpoint)]
        )
        self.origin = ""

    async def _fallback(self, run_id: str) -> Snapshot | None:
        return self.from_temporal.get(run_id)


@asynccontextmanager
async def serving(
    client: Redis,
    limits: StreamLimits | None = None,
    *,
    drain: Callable[[Gateway], Awaitable[None]] | None = None,
    stalled_ms: int = 30_000,
) -> AsyncIterator[Gateway]:
    """A gateway on a free port."""
    gateway = Gateway(client, limits)

    async def on_stop() -> None:
        if drain is not None:
            await drain(gateway)

    async with (
        beside(gateway.hub.run()),
        http_server(gateway.app, on_stop, stalled_ms=stalled_ms) as (_, origin),
    ):
        gateway.origin = origin
        yield gateway


@asynccontextmanager
async def http_server(
    app: ASGIApp,
    drain: Callable[[], Awaitable[None]],
    *,
    stalled_ms: int = 30_000,
    limits: ConnectionLimits | None = None,
) -> AsyncIterator[tuple[HttpServer, str]]:
    listener = socket.create_server(("127.0.0.1", 0))
    limit_stalled_readers(listener, stalled_ms=stalled_ms)
    origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server, stop = create_gateway_server(app, drain, limits), asyncio.Event()
    task = asyncio.create_task(server.serve_until(stop, listener))
    try:
        await eventually(lambda: server.started)
        yield server, origin
    finally:
        stop.set()
        await task


class Reader:
    """Reads one stream until it ends, like a browser's EventSource."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self.text = ""
        self.is_over = False
        self.error: Exception | None = None

    @property
    def events(self) -> list[sse.SseEvent]:
        """Every event except pings, whose number depends on time."""
        return [event for event in sse.parse(self.text) if event.event != "ping"]

    @property
    def names(self) -> list[str]:
        return [event.event for event in self.events]

    @property
    def ids(self) -> list[str]:
        return [event.id for event in self.events if event.id is not None]

    async def until(self, count: int, *, within_s: float = 30) -> list[sse.SseEvent]:
        await eventually(lambda: len(self.events) >= count, within_s=within_s)
        return self.events

    async def until_text(self, text: str, *, within_s: float = 30) -> None:
        await eventually(lambda: text in self.text, within_s=within_s)

    async def until_over(self, *, within_s: float = 30) -> list[sse.SseEvent]:
        await eventually(lambda: self.is_over, within_s=within_s)
        assert self.error is None, self.error
        return self.events

    async def read(self, client: httpx2.AsyncClient, url: str, headers: Mapping[str, str]) -> None:
        try:
            async with client.stream("GET", url, headers=dict(headers), timeout=60) as response:
                self.status, self.headers = response.status_code, response.headers
                async for text in response.aiter_text():
                    self.text += text
        except httpx2.HTTPError as error:
            self.error = error
        self.is_over = True


@asynccontextmanager
async def reading(origin: str, path: str, headers: Mapping[str, str] | None = None) -> AsyncIterator[Reader]:
    """Read a stream concurrently; leaving the block closes the connection."""
    reader = Reader()
    # Plain HTTP: loading certificates would take longer than the test.
    async with httpx2.AsyncClient(verify=False, timeout=60) as client:
        task = asyncio.create_task(reader.read(client, origin + path, headers or {}))
        try:
            yield reader
        finally:
            await cancel_and_wait(task)


class OwnRedis:
    """A Redis that a test can kill and restart; it persists to an append-only file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = backends.free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*backends.redis_command(self._port, self._folder), "--appendfsync", "always"],
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    async def ready(self) -> None:
        await eventually(lambda: backends.is_listening(self._port))

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)


@asynccontextmanager
async def own_redis(folder: Path) -> AsyncIterator[OwnRedis]:
    redis = OwnRedis(folder)
    redis.start()
    try:
        await redis.ready()
        yield redis
    finally:
        redis.kill()


def _present(snapshot: Snapshot, epoch: str) -> bytes:
    return msgspec.json.encode({**msgspec.structs.asdict(snapshot), "epoch": epoch})


async def _authorize(request: HTTPConnection, _run_id: str) -> Principal:
    return await _authenticate(request)


async def _authenticate(_request: HTTPConnection) -> Principal:
    return Principal(
        key_id="k",
        name="lan",
        tenant="acme",
        subject=Subject(subject="key:k", name="lan"),
        roles=frozenset({Role.VIEWER}),
    )
