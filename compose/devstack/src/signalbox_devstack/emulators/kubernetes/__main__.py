"""`python -m signalbox_devstack.emulators.kubernetes --port N --token T [-- COMMAND …]`.

Prints `listening HOST:PORT` when it accepts connections.
"""

import argparse
import asyncio
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from signalbox_devstack.emulators.http_server import serve_emulator
from signalbox_devstack.emulators.kubernetes.app import Cluster


def main(argv: Sequence[str] | None = None) -> int:
    """0 when told to stop, 2 when it cannot start."""
    options = _parser().parse_args(argv)
    try:
        listener = socket.create_server(("127.0.0.1", options.port))
    except (OSError, OverflowError) as error:
        print(
            f"signalbox-kubernetes: port {options.port} cannot be used ({error}); "
            "pass another, or 0 for a free one",
            file=sys.stderr,
        )
        return 2
    if options.logs:
        options.logs.mkdir(parents=True, exist_ok=True)
    asyncio.run(_serve(options, listener))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="signalbox-kubernetes", description="The Jobs of a Kubernetes API in small; pods are processes."
    )
    parser.add_argument(
        "--port", type=int, required=True, help="0 takes a free one, printed as `listening HOST:PORT`"
    )
    parser.add_argument("--token", required=True, help="that every request must bear")
    parser.add_argument("--logs", type=Path, metavar="DIR", help="a folder for what the pods print")
    parser.add_argument("command", nargs="*", help="what a pod runs; nothing: it waits")
    return parser


async def _serve(options: argparse.Namespace, listener: socket.socket) -> None:
    cluster = Cluster(options.command, token=options.token, logs=options.logs)

    try:
        await serve_emulator(cluster.app(), listener)
    finally:
        await cluster.close()


if __name__ == "__main__":
    sys.exit(main())
