"""`python -m signalbox_devstack.emulators.kubernetes --port N --token T [-- COMMAND …]`: run the emulator.

Prints `listening HOST:PORT` once it accepts connections.
"""

import argparse
import asyncio
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from signalbox_devstack.emulators.http_server import serve_emulator
from signalbox_devstack.emulators.kubernetes.app import KubernetesJobsApi


def main(argv: Sequence[str] | None = None) -> int:
    """Exit codes: 0 after a signal, 2 when the server cannot start."""
    options = _parser().parse_args(argv)
    try:
        listener = socket.create_server(("127.0.0.1", options.port))
    except (OSError, OverflowError) as error:
        print(
            f"signalbox-kubernetes: cannot listen on port {options.port} ({error}); "
            "pass another --port, or 0 for a free one",
            file=sys.stderr,
        )
        return 2
    if options.logs:
        options.logs.mkdir(parents=True, exist_ok=True)
    asyncio.run(_serve(options, listener))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="signalbox-kubernetes",
        description="Emulate Kubernetes Jobs (batch/v1); pods are local processes.",
    )
    parser.add_argument(
        "--port",
        type=int,
        required=True,
        help="port to listen on; 0 takes a free one, printed as `listening HOST:PORT`",
    )
    parser.add_argument("--token", required=True, help="bearer token that every request must carry")
    parser.add_argument("--logs", type=Path, metavar="DIR", help="folder for the output of the pods")
    parser.add_argument(
        "command", nargs="*", help="command that each pod runs; without one it waits until it is deleted"
    )
    return parser


async def _serve(options: argparse.Namespace, listener: socket.socket) -> None:
    cluster = KubernetesJobsApi(options.command, token=options.token, logs=options.logs)

    try:
        await serve_emulator(cluster.app(), listener)
    finally:
        await cluster.close()


if __name__ == "__main__":
    sys.exit(main())
