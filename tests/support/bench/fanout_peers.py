"""The peers of our stream endpoint: each subscribes to the runs' channels on one Redis connection and fans
out to its listeners.

`python -m support.bench.fanout_peers ARM PORT REDIS_URL`; ARM is `protocol` (no ASGI: the limit), `asgi` (a
bare endpoint with a queue a
listener) or `sse` (sse-starlette as its documentation shows it).
"""

import asyncio
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from typing import Final, TypeVar, cast

import uvicorn
import uvloop
from redis.asyncio import Redis
from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from signalbox_core.ids import run_id_of
from signalbox_core.streams import Frame
from signalbox_core.streams.record import unpack_message
from signalbox_gateway.streaming.frames import encode_frame

HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
L = TypeVar("L")
Listeners = defaultdict[str, set[L]]


async def subscribe(url: str, deliver: Callable[[str, Frame], None]) -> None:
    async with Redis.from_url(url, socket_timeout=None) as client, client.pubsub() as channels:
        await channels.psubscribe("signalbox:run:*")
        async for message in channels.listen():
            if message["type"] == "pmessage":
                key = message["channel"].decode().partition("{")[2].partition("}")[0]
                deliver(run_id_of(key), unpack_message(message["data"]))


class Connection(asyncio.Protocol):
    """HTTP as far as this bench speaks it."""

    def __init__(self, listeners: "Listeners[asyncio.Transport]") -> None:
        self._listeners = listeners
        self._run_id = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not inherit from asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._run_id = data.split(b" ", 2)[1].decode().split("/")[3]
        self._listeners[self._run_id].add(self._transport)
        self._transport.write(HEAD + b"5\r\n: hi\n\r\n")

    def connection_lost(self, _error: Exception | None) -> None:
        self._listeners[self._run_id].discard(self._transport)


async def serve_protocol(port: int, url: str) -> None:
    listeners: Listeners[asyncio.Transport] = defaultdict(set)

    def deliver(run_id: str, frame: Frame) -> None:
        wire = encode_frame(run_id, frame).with_id
        chunk = b"%x\r\n%b\r\n" % (len(wire), wire)
        for transport in listeners[run_id]:
            transport.write(chunk)

    await asyncio.get_running_loop().create_server(
        lambda: Connection(listeners), "127.0.0.1", port, backlog=2_048
    )
    await subscribe(url, deliver)


async def serve_asgi(port: int, url: str) -> None:
    listeners: Listeners[asyncio.Queue[bytes]] = defaultdict(set)

    def deliver(run_id: str, frame: Frame) -> None:
        wire = encode_frame(run_id, frame).with_id
        for queue in listeners[run_id]:
            queue.put_nowait(wire)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        queue: asyncio.Queue[bytes] = asyncio.Queue(256)
        mine = listeners[scope["path"].split("/")[3]]
        mine.add(queue)
        writer = asyncio.ensure_future(_forward(queue, send))
        try:
            while (await receive())["type"] != "http.disconnect":
                pass
        finally:
            mine.discard(queue)
            writer.cancel()

    await asyncio.gather(_uvicorn(app, port), subscribe(url, deliver))


async def _forward(queue: asyncio.Queue[bytes], send: Send) -> None:
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}
    )
    await send({"type": "http.response.body", "body": b": hi\n", "more_body": True})
    while True:
        await send({"type": "http.response.body", "body": await queue.get(), "more_body": True})


async def serve_sse(port: int, url: str) -> None:
    listeners: Listeners[asyncio.Queue[Frame]] = defaultdict(set)

    def deliver(run_id: str, frame: Frame) -> None:
        for queue in listeners[run_id]:
            queue.put_nowait(frame)

    async def events(run_id: str) -> AsyncIterator[dict[str, str]]:
        queue: asyncio.Queue[Frame] = asyncio.Queue(256)
        listeners[run_id].add(queue)
        try:
            yield {"comment": "hi"}
            while True:
                frame = await queue.get()
                yield {"id": f"{frame.epoch}:{frame.sequence}", "data": frame.data.decode()}
        finally:
            listeners[run_id].discard(queue)

    async def stream(request: Request) -> Response:
        return EventSourceResponse(events(request.path_params["run_id"]))

    await asyncio.gather(
        _uvicorn(Starlette(routes=[Route("/v1/runs/{run_id}/stream", stream)]), port), subscribe(url, deliver)
    )


async def _uvicorn(app: ASGIApp, port: int) -> None:
    config = uvicorn.Config(
        app, port=port, loop="uvloop", http="httptools", access_log=False, log_level="warning", lifespan="off"
    )
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    ARMS = {"protocol": serve_protocol, "asgi": serve_asgi, "sse": serve_sse}
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(ARMS[sys.argv[1]](int(sys.argv[2]), sys.argv[3]))
