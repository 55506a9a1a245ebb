"""`signalbox-cloud-run --port N [-- COMMAND …]`: run the emulator of Cloud Run Jobs; prints `listening
HOST:PORT`.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

# gRPC's own lines about a denied bind would bury the one that names the remedy; set before the import below
# it takes effect.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

from signalbox_core.process.service import stop_on_signals
from signalbox_devstack.emulators.cloud_run.jobs import JobService
from signalbox_devstack.emulators.cloud_run.server import serve_jobs

JOB = "projects/local/locations/local/jobs/burst"


def main(argv: Sequence[str] | None = None) -> int:
    """Exit codes: 0 after a signal, 2 when the server cannot start."""
    options = _parser().parse_args(argv)
    try:
        asyncio.run(_serve(options))
    except (OSError, RuntimeError) as error:
        print(f"signalbox-cloud-run: {error}; pass another --port, or 0 for a free one", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="signalbox-cloud-run",
        description=(
            "Emulate Cloud Run Jobs (google.cloud.run.v2 over gRPC, no TLS); tasks are local processes."
        ),
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument(
        "--port",
        type=int,
        required=True,
        help="port to listen on; 0 takes a free one, printed as `listening HOST:PORT`",
    )
    parser.add_argument("--job", default=JOB, help="name of the only job (%(default)s)")
    parser.add_argument(
        "--cold-start-s",
        type=float,
        default=0.0,
        metavar="S",
        help="delay between a request and the start of its tasks",
    )
    parser.add_argument("--logs", type=Path, metavar="DIR", help="folder for the output of the tasks")
    parser.add_argument(
        "command",
        nargs="*",
        help="command that each task runs; without one it waits until it is cancelled",
    )
    return parser


async def _serve(options: argparse.Namespace) -> None:
    if options.logs:
        options.logs.mkdir(parents=True, exist_ok=True)
    stop = stop_on_signals()
    jobs = JobService(options.job, options.command, cold_start_s=options.cold_start_s, logs=options.logs)
    async with serve_jobs(jobs, host=options.host, port=options.port) as port:
        print(f"listening {options.host}:{port}", flush=True)
        await stop.wait()


if __name__ == "__main__":
    sys.exit(main())
