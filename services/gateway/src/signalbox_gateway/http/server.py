"""Serving: uvicorn that ends streams before it closes connections, and ends by itself instead of by signal."""

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final

import uvicorn
from sse_starlette.sse import AppStatus
from starlette.types import ASGIApp

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_SEND_BUFFER_BYTES: Final = 64 * 1024
_STALLED_MS: Final = 30_000


class Server(uvicorn.Server):
    """uvicorn, with a drain: told to stop, it first lets the app end its streams cleanly."""

    def __init__(self, config: uvicorn.Config, drain: Callable[[], Awaitable[None]]) -> None:
        super().__init__(config)
        self._drain = drain

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn would raise the signal again at the end and so skip the closing of our clients."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._drain()
        await super().shutdown(sockets)


def tune(listener: socket.socket, *, stalled_ms: int = _STALLED_MS) -> None:
    """What a listening socket is set to, its connections inherit: a stalled reader costs 64 KiB of kernel memory instead of
    megabytes, and is dropped by the kernel when it has taken nothing for `stalled_ms`."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, stalled_ms)


def server_of(app: ASGIApp, drain: Callable[[], Awaitable[None]]) -> Server:
    """A server on loop and parser of the fastest kind; our middleware writes the access log."""
    # It would cut its streams off at the signal; `drain` ends them, and all others, cleanly.
    AppStatus.disable_automatic_graceful_drain()  # type: ignore[no-untyped-call]
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        # Longer than load balancers keep an idle connection, so that they never send on one that is being closed.
        timeout_keep_alive=75,
        timeout_graceful_shutdown=10,
    )
    return Server(config, drain)
