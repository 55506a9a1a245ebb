"""Runs an HTTP emulator on this machine; prints `listening 127.0.0.1:PORT` when it accepts connections."""

import asyncio
import socket
import sys

from starlette.types import ASGIApp

from signalbox_core.http.server import create_server
from signalbox_core.process.service import stop_on_signals

HOST = "127.0.0.1"


def serve(program: str, app: ASGIApp, port: int) -> None:
    """Serve until SIGTERM or SIGINT; port 0 takes a free one.

    Raises:
        SystemExit: the port cannot be used; one line names it.
    """
    try:
        listener = socket.create_server((HOST, port))
    except (OSError, OverflowError) as error:
        sys.exit(
            f"{program}: cannot listen on port {port} ({error}); pass another --port, or 0 for a free one"
        )
    with listener:
        asyncio.run(serve_emulator(app, listener))


async def serve_emulator(app: ASGIApp, listener: socket.socket) -> None:
    """Announce the address, and serve until SIGTERM or SIGINT."""
    stop = stop_on_signals()
    host, port = listener.getsockname()[:2]
    print(f"listening {host}:{port}", flush=True)
    await create_server(app, lifespan="auto", graceful_timeout_s=2).serve_until(stop, listener)
