"""`python -m signalbox_devstack.emulators.kubernetes --port N --token T [-- COMMAND …]`; prints `listening HOST:PORT` when it does."""

import argparse
import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from signalbox_devstack.emulators.kubernetes.app import KubernetesJobsApi


def main(argv: Sequence[str] | None = None) -> int:
    """0 when told to stop, 2 when it cannot start."""
    options = _parser().parse_args(argv)
    try:
        listener = socket.create_server(("127.0.0.1", options.port))
    except (OSError, OverflowError) as error:
        print(
            f"signalbox-kubernetes: port {options.port} cannot be used ({error}); give another, or 0 for a free one",
            file=sys.stderr,
        )
        return 2
    if options.logs:
        options.logs.mkdir(parents=True, exist_ok=True)
    asyncio.run(_serve(options, listener))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="signalbox-kubernetes",
        description="The Jobs of a Kubernetes API in small; pods are processes.",
    )
    parser.add_argument(
        "--port", type=int, required=True, help="0 takes a free one, printed as `listening HOST:PORT`"
    )
    parser.add_argument("--token", required=True, help="that every request must bear")
    parser.add_argument("--logs", type=Path, metavar="DIR", help="a folder for what the pods print")
    parser.add_argument("command", nargs="*", help="what a pod runs; nothing: it waits")
    return parser


async def _serve(options: argparse.Namespace, listener: socket.socket) -> None:
    cluster = KubernetesJobsApi(options.command, token=options.token, logs=options.logs)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        host, port = listener.getsockname()[:2]
        print(f"listening {host}:{port}", flush=True)
        yield
        await cluster.close()

    app = cluster.app()
    app.router.lifespan_context = lifespan
    await uvicorn.Server(
        uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=2)
    ).serve([listener])


if __name__ == "__main__":
    sys.exit(main())
