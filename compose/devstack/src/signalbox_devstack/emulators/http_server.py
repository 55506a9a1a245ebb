"""Runs the HTTP server of an emulator and prints `listening 127.0.0.1:PORT` once it accepts connections."""

import socket
import sys

import uvicorn
from starlette.types import ASGIApp

HOST = "127.0.0.1"


class _PortPrintingServer(uvicorn.Server):
    """A server that prints its address after startup."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or []:
            host, port = listener.getsockname()[:2]
            print(f"listening {host}:{port}", flush=True)


def serve(program: str, app: ASGIApp, port: int) -> None:
    """Serve until a signal arrives.

    Port 0 takes a free one; an unusable port exits with one line of explanation.
    """
    try:
        listener = socket.create_server((HOST, port))
    except (OSError, OverflowError) as error:
        sys.exit(
            f"{program}: cannot listen on port {port} ({error}); pass another --port, or 0 for a free one"
        )
    with listener:
        config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=2)
        _PortPrintingServer(config).run([listener])
