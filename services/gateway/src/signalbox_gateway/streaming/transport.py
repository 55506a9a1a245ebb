"""The SSE response over ASGI: headers, writes, disconnect detection and a clean end."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Final, cast

from starlette.types import Receive, Send

from signalbox_gateway.streaming import frames
from signalbox_gateway.streaming.listener import Listener
from signalbox_gateway.streaming.refusals import STREAM_HEADERS

log = logging.getLogger(__name__)
# Jitter: listeners that were disconnected together must not reconnect together.
RETRY_MS: Final = (1_000, 3_000)
_RAW_HEADERS: Final = [(name.encode(), value.encode()) for name, value in STREAM_HEADERS]


class SseTransport:
    """Sends bytes to one client and notices its disconnect."""

    __slots__ = ("_listener", "_receive", "_send", "_suspended")

    def __init__(self, receive: Receive, send: Send, listener: Listener) -> None:
        self._receive = receive
        self._send = send
        self._listener = listener
        self._suspended: _SuspendedSend | None = None

    @property
    def is_blocked(self) -> bool:
        """Whether the last `send_nowait` is still pending; call `drain` before the next one."""
        return self._suspended is not None

    async def write(self, data: bytes) -> None:
        """Send bytes; waits while the connection applies backpressure."""
        try:
            await self._send({"type": "http.response.body", "body": data, "more_body": True})
        except OSError:
            self._listener.disconnect()

    def send_nowait(self, data: bytes) -> None:
        """Send bytes without awaiting.

        A server's `send` suspends only under backpressure, so its coroutine is stepped by hand: it either
        completes or is kept for `drain`.
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
            self._listener.disconnect()
            return
        except Exception:
            # The edge: one broken connection must not stop the fan-out to the others.
            log.exception("sending a frame failed")
            self._listener.disconnect()
            return
        self._suspended = _SuspendedSend(sending, waits_for)

    async def drain(self) -> None:
        """Wait until a pending `send_nowait` has completed."""
        suspended, self._suspended = self._suspended, None
        if suspended is None:
            return
        try:
            await suspended
        except OSError:
            self._listener.disconnect()

    async def serve(self, handler: Callable[[], Awaitable[None]], preamble: bytes) -> None:
        """Start the response with `preamble`, run the handler, and end the response cleanly."""
        await start_response(self._send)
        await self.write(preamble)
        # No TaskGroup: it costs a kilobyte per stream, and the watcher only waits and returns.
        watcher = asyncio.create_task(self._watch())
        try:
            await handler()
        finally:
            watcher.cancel()
        if self._listener.is_disconnected:
            return
        if self._listener.reconnect_ms is not None:
            await self.write(frames.retry(self._listener.reconnect_ms))
        await finish_response(self._send)

    async def _watch(self) -> None:
        """Wait for the disconnect message: most servers silently discard what is sent after it."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._listener.disconnect()


class _SuspendedSend:
    """A coroutine that was stepped by hand up to its first suspension; awaiting this resumes it."""

    __slots__ = ("_coroutine", "_waits_for")

    def __init__(self, coroutine: "Coroutine[object, None, None]", waits_for: object) -> None:
        self._coroutine = coroutine
        self._waits_for = waits_for

    def __await__(self) -> "Generator[object, None, None]":
        # The awaiting task receives what the coroutine yielded, as if it had run it from the start.
        yield self._waits_for
        yield from self._coroutine.__await__()


def reconnect_delay_ms() -> int:
    """A random delay after which the browser reconnects."""
    return random.randint(*RETRY_MS)


async def start_response(send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": list(_RAW_HEADERS)})


async def finish_response(send: Send) -> None:
    await send({"type": "http.response.body", "body": b"", "more_body": False})
