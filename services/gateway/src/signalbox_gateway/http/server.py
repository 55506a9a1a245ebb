"""The gateway's HTTP server: the shared one, set up for thousands of open streams."""

import socket
from collections.abc import Awaitable, Callable
from typing import Final

from sse_starlette.sse import AppStatus
from starlette.types import ASGIApp

from signalbox_core.http.connection import ConnectionLimits
from signalbox_core.http.server import HttpServer, create_server

_SEND_BUFFER_BYTES: Final = 64 * 1024
_STALLED_MS: Final = 30_000


def limit_stalled_readers(listener: socket.socket, *, stalled_ms: int = _STALLED_MS) -> None:
    """Set socket options that accepted connections inherit.

    A stalled reader then costs 64 KiB of kernel memory instead of megabytes, and the kernel closes its
    connection when it has acknowledged nothing for `stalled_ms`.
    """
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, stalled_ms)


def create_gateway_server(
    app: ASGIApp, drain: Callable[[], Awaitable[None]], limits: ConnectionLimits | None = None
) -> HttpServer:
    """A server that runs the app's lifespan; `drain` ends the streams before connections close."""
    # sse-starlette would cut its streams off on a signal; `drain` ends them, and all others, cleanly.
    AppStatus.disable_automatic_graceful_drain()  # type: ignore[no-untyped-call]
    return create_server(app, limits=limits, drain=drain, lifespan="on", trusts_proxies=True)
