"""Runs an HTTP emulator on this machine; prints `listening 127.0.0.1:PORT` when it accepts connections."""

import argparse
import asyncio
import socket
import sys

from starlette.types import ASGIApp

from signalbox_core.http.server import create_server
from signalbox_core.process.service import stop_on_signals

HOST = "127.0.0.1"


def add_listen_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that `serve` reads."""
    parser.add_argument("--port", type=int, default=0, help="port to listen on (default: a free one)")
    parser.add_argument(
        "--listen-fd", type=int, metavar="N", help="descriptor of an open listening socket, instead of a port"
    )


def serve(program: str, app: ASGIApp, options: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        SystemExit: the port cannot be used; one line names it.
    """
    with _listener(program, options.port, options.listen_fd) as listener:
        asyncio.run(serve_emulator(app, listener))


def _listener(program: str, port: int, listen_fd: int | None) -> socket.socket:
    try:
        return socket.create_server((HOST, port)) if listen_fd is None else socket.socket(fileno=listen_fd)
    except (OSError, OverflowError) as error:
        given = f"port {port}" if listen_fd is None else f"descriptor {listen_fd}"
        sys.exit(f"{program}: cannot listen on {given} ({error}); pass another --port, or 0 for a free one")


async def serve_emulator(app: ASGIApp, listener: socket.socket) -> None:
    """Announce the address, and serve until SIGTERM or SIGINT."""
    stop = stop_on_signals()
    host, port = listener.getsockname()[:2]
    print(f"listening {host}:{port}", flush=True)
    await create_server(app, lifespan="auto", graceful_timeout_s=2).serve_until(stop, listener)
