"""Serves one of the world's HTTP programs on this machine; it says `listening 127.0.0.1:PORT` once it does."""

import socket
import sys

import uvicorn
from starlette.types import ASGIApp

HOST = "127.0.0.1"


class _PortPrintingServer(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or []:
            host, port = listener.getsockname()[:2]
            print(f"listening {host}:{port}", flush=True)


def serve(program: str, app: ASGIApp, port: int) -> None:
    """Until a signal ends it; port 0 is a free one. A port that cannot be used ends the program with one line."""
    try:
        listener = socket.create_server((HOST, port))
    except (OSError, OverflowError) as error:
        sys.exit(
            f"{program}: port {port} cannot be used ({error}); give another with --port, or 0 for a free one"
        )
    with listener:
        config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=2)
        _PortPrintingServer(config).run([listener])
