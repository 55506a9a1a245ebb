"""`signalbox-pubsub --port N --data FILE`: run the local Pub/Sub server."""

import argparse
import asyncio
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

# gRPC's own log lines about a failed bind would bury our message. gRPC reads this when it is imported below.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

from signalbox_core.logs import configure_logs
from signalbox_devstack.emulators.pubsub.journal import UnusableData
from signalbox_devstack.emulators.pubsub.server import STREAM_S, run_server


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT.

    Exit codes: 0 after a signal, 1 when the journal fails, 2 when the server cannot start.
    """
    options = _parser().parse_args(argv)
    configure_logs("pubsub", options.log_level)
    try:
        _check_port(options.host, options.port)
        return asyncio.run(_serve(options))
    except (UnusableData, OSError, RuntimeError) as error:
        print(f"signalbox-pubsub: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="signalbox-pubsub",
        description="A local Pub/Sub server. Acknowledged messages survive kill -9.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument(
        "--port",
        type=_port,
        required=True,
        help="port to listen on; 0 takes a free one, printed as `listening HOST:PORT`",
    )
    parser.add_argument(
        "--data", type=Path, required=True, help="SQLite file with topics, subscriptions and messages"
    )
    parser.add_argument(
        "--stream-seconds",
        type=float,
        default=STREAM_S,
        help="close each stream after this many seconds, as Google does (%(default)s)",
    )
    parser.add_argument("--log-level", default="INFO", choices=("DEBUG", "INFO", "WARNING", "ERROR"))
    return parser


def _port(text: str) -> int:
    if not text.isdigit() or not 0 <= int(text) <= 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: must be 0 to 65535")
    return int(text)


def _check_port(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            reason = error.strerror or str(error)
            raise OSError(
                f"cannot listen on {host}:{port} ({reason}): "
                "stop the program that uses it, or pass another --port (0 takes a free one)"
            ) from None


async def _serve(options: argparse.Namespace) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with run_server(
        host=options.host, port=options.port, data=options.data, stream_s=options.stream_seconds
    ) as running:
        print(f"listening {options.host}:{running.port}", flush=True)
        ends = [asyncio.create_task(event.wait()) for event in (stop, running.broken)]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()
        return 1 if running.broken.is_set() else 0


if __name__ == "__main__":
    sys.exit(main())
