"""One stream's connection: how an SSE response begins, is written, notices that the other side left, and ends."""

import asyncio
import random
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Send

from signalbox_gateway import frames
from signalbox_gateway.listener import Listener
from signalbox_gateway.session import Session

# Never one number: listeners that were cut off together would come back together.
RETRY_MS: Final = (1_000, 3_000)
_BUSY_RETRY_MS: Final = (5_000, 15_000)
_HEADERS: Final = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
)


class Wire:
    """The two ends of one connection."""

    def __init__(self, receive: Receive, send: Send, listener: Listener) -> None:
        self._receive = receive
        self.send = send
        self._listener = listener

    async def write(self, data: bytes) -> None:
        try:
            await self.send({"type": "http.response.body", "body": data, "more_body": True})
        except OSError:
            self._listener.leave()

    async def serve(self, session: Session) -> None:
        """Run the session until it is over, and end the response cleanly."""
        async with asyncio.TaskGroup() as group:
            watcher = group.create_task(self.watch())
            await session.run()
            watcher.cancel()
        if not self._listener.is_gone:
            await finish(self.send)

    async def watch(self) -> None:
        """Notice that the other side has left: most servers take what is sent to it and say nothing."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._listener.leave()


def first_retry_ms() -> int:
    """How long a browser waits before it reconnects."""
    return random.randint(*RETRY_MS)


def come_back_response() -> Response:
    """Not now, for handlers that give a response."""
    return Response(frames.retry(random.randint(*_BUSY_RETRY_MS)), headers={name.decode(): value.decode() for name, value in _HEADERS})


async def start(send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": list(_HEADERS)})


async def finish(send: Send) -> None:
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def come_back(send: Send) -> None:
    """Not now: the browser reconnects after the time that it is told."""
    await start(send)
    await send({"type": "http.response.body", "body": frames.retry(random.randint(*_BUSY_RETRY_MS)), "more_body": False})
