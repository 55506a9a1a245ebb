"""Thousands of listeners of one server from one process, and the source that feeds them; for benchmarks."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from redis.asyncio import Redis

from signalbox_core.events import CloudEvent, catalogue
from signalbox_core.ids import run_key
from signalbox_core.streams import RedisRunStream
from signalbox_devstack.stack.keys import TENANT
from support.assertions.eventually import eventually
from support.fakes.events import make_event
from support.process_cpu import cpu_s
from support.process_memory import resident_bytes

LINE: Final = re.compile(rb'"sequence":(\d+).*?"title":"(\d+)"')


@dataclass
class Server:
    """One arm's process."""

    name: str
    pid: int
    port: int
    headers: str = ""

    def cpu_s(self) -> float:
        return cpu_s([self.pid])

    def rss_kb(self) -> float:
        return resident_bytes(self.pid) / 1024


class Listener(asyncio.Protocol):
    """Reads frames, checks that their sequences have no gap, and keeps when they came."""

    def __init__(self, request: bytes, first: int, delays_ms: list[float] | None = None) -> None:
        self._request = request
        self._delays_ms = delays_ms
        self._tail = b""
        self.last = first
        self.is_open = False
        self.is_deferred = False
        self.is_over = False
        self.wrong = 0
        self.received_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        self.received_bytes += len(data)
        *frames, self._tail = (self._tail + data).split(b"\r\n\r\n")
        if not self.is_open and frames:
            # A stream that is put off has its length; an open one has none.
            self.is_deferred = b"content-length" in frames[0].lower()
            self.is_open = True
        for frame in frames:
            if match := LINE.search(frame):
                self.wrong += int(match[1]) != self.last + 1
                self.last = int(match[1])
                if self._delays_ms is not None:
                    self._delays_ms.append((now - int(match[2])) / 1e6)
        self.is_over = self.is_over or (self._tail + data).endswith(b"0\r\n\r\n")


class Source:
    """Appends events to runs, as the receiver does."""

    def __init__(self, client: Redis) -> None:
        self.client = client
        self._streams = RedisRunStream(client)
        self._told: dict[str, int] = {}

    async def begin(self, run_id: str) -> None:
        started = catalogue.RunStarted(pipeline="bench", title="Bench", steps=())
        await self._append(
            run_id, make_event("run.started", started, sequence=1, run_id=run_id, tenant=TENANT)
        )

    async def tell(self, run_id: str) -> int:
        data = catalogue.StepStarted(step="render", title=str(time.monotonic_ns()))
        return await self._append(
            run_id,
            make_event("step.started", data, sequence=self._told[run_id] + 1, run_id=run_id, tenant=TENANT),
        )

    async def cursor(self, run_id: str) -> str:
        return f"{(await self._streams.read(run_key(TENANT, run_id), None, 1)).epoch}:{self._told[run_id]}"

    def told(self, run_id: str) -> int:
        return self._told[run_id]

    async def _append(self, run_id: str, event: CloudEvent) -> int:
        await self._streams.append(event)
        self._told[run_id] = event.sequence or 0
        return self._told[run_id]


@asynccontextmanager
async def listening(
    server: Server, source: Source, runs: Sequence[str], delays_ms: list[float] | None = None
) -> AsyncIterator[list[Listener]]:
    """One listener for each item of `runs`, all open."""
    cursors = {run_id: await source.cursor(run_id) for run_id in set(runs)}
    loop, opened = asyncio.get_running_loop(), []
    try:
        for start in range(0, len(runs), 200):
            for run_id in runs[start : start + 200]:
                headers = f"Host: bench\r\nLast-Event-ID: {cursors[run_id]}\r\n{server.headers}"
                head = f"GET /v1/runs/{run_id}/stream HTTP/1.1\r\n{headers}\r\n"
                made = Listener(head.encode(), source.told(run_id), delays_ms)
                await loop.create_connection(lambda made=made: made, "127.0.0.1", server.port)
                opened.append(made)
            await eventually(lambda: all(item.is_open for item in opened), within_s=60)
        assert not any(item.is_deferred for item in opened), "a limit of the server puts listeners off"
        yield opened
    finally:
        for item in opened:
            item.transport.abort()
        await asyncio.sleep(0)
