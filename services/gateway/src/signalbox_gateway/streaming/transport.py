"""One stream's connection: how an SSE response begins, is written, notices that the other side left, and ends."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Final, cast

from starlette.responses import Response
from starlette.types import Receive, Send

from signalbox_gateway.streaming import frames
from signalbox_gateway.streaming.listener import Listener

log = logging.getLogger(__name__)
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

    __slots__ = ("_listener", "_receive", "_send", "_unfinished")

    def __init__(self, receive: Receive, send: Send, listener: Listener) -> None:
        self._receive = receive
        self._send = send
        self._listener = listener
        self._unfinished: _Unfinished | None = None

    @property
    def is_full(self) -> bool:
        """The last bytes of `write_now` wait for the connection; `settle` before the next."""
        return self._unfinished is not None

    async def write(self, data: bytes) -> None:
        """Hand bytes to the connection; waits while it is full."""
        try:
            await self._send({"type": "http.response.body", "body": data, "more_body": True})
        except OSError:
            self._listener.leave()

    def write_now(self, data: bytes) -> None:
        """Hand bytes to the connection in the caller's own turn.

        A server's `send` waits only while the connection is full, so it is run by hand until it is done or waits.
        """
        sending = cast(
            "Coroutine[object, None, None]",
            self._send({"type": "http.response.body", "body": data, "more_body": True}),
        )
        try:
            waits_for = sending.send(None)
        except StopIteration:
            return
        except OSError:
            self._listener.leave()
            return
        except Exception:
            # The edge: one broken connection must not end the reader of all.
            log.exception("a frame could not be sent")
            self._listener.leave()
            return
        self._unfinished = _Unfinished(sending, waits_for)

    async def settle(self) -> None:
        """Wait for what `write_now` could not finish."""
        unfinished, self._unfinished = self._unfinished, None
        if unfinished is None:
            return
        try:
            await unfinished
        except OSError:
            self._listener.leave()

    async def serve(self, talk: Callable[[], Awaitable[None]], hello: bytes) -> None:
        """Begin with `hello`, run the conversation until it is over, and end the response cleanly."""
        await start(self._send)
        await self.write(hello)
        # No group: it costs a kilobyte a stream, and the watcher can do nothing but end.
        watcher = asyncio.create_task(self._watch())
        try:
            await talk()
        finally:
            watcher.cancel()
        if not self._listener.is_gone:
            await finish(self._send)

    async def _watch(self) -> None:
        """Notice that the other side has left: most servers take what is sent to it and say nothing."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._listener.leave()


class _Unfinished:
    """A coroutine that was run by hand up to where it waits; awaiting this goes on with it."""

    __slots__ = ("_coroutine", "_waits_for")

    def __init__(self, coroutine: "Coroutine[object, None, None]", waits_for: object) -> None:
        self._coroutine = coroutine
        self._waits_for = waits_for

    def __await__(self) -> "Generator[object, None, None]":
        # The task that awaits gets what the coroutine waits for, as if it had run the coroutine from the beginning.
        yield self._waits_for
        yield from self._coroutine.__await__()


def first_retry_ms() -> int:
    """How long a browser waits before it reconnects."""
    return random.randint(*RETRY_MS)


def come_back_response() -> Response:
    """Not now, for handlers that give a response."""
    return Response(
        frames.retry(random.randint(*_BUSY_RETRY_MS)),
        headers={name.decode(): value.decode() for name, value in _HEADERS},
    )


async def start(send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": list(_HEADERS)})


async def finish(send: Send) -> None:
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def come_back(send: Send) -> None:
    """Not now: the browser reconnects after the time that it is told."""
    await start(send)
    await send(
        {
            "type": "http.response.body",
            "body": frames.retry(random.randint(*_BUSY_RETRY_MS)),
            "more_body": False,
        }
    )
