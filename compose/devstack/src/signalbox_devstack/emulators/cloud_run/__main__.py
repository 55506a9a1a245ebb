"""`signalbox-cloud-run --port N [-- COMMAND …]`: Cloud Run Jobs in small as a program; prints `listening HOST:PORT` when it does."""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

# gRPC's own lines about a denied bind would bury the one that names the remedy; set before the import below it takes effect.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

from signalbox_core.process.service import stop_on_signals
from signalbox_devstack.emulators.cloud_run.jobs import JobService
from signalbox_devstack.emulators.cloud_run.server import serve_jobs

JOB = "projects/local/locations/local/jobs/burst"


def main(argv: Sequence[str] | None = None) -> int:
    """0 when told to stop, 2 when it cannot start."""
    options = _parser().parse_args(argv)
    try:
        asyncio.run(_serve(options))
    except (OSError, RuntimeError) as error:
        print(f"signalbox-cloud-run: {error}; give another --port, or 0 for a free one", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="signalbox-cloud-run",
        description="Cloud Run Jobs in small (google.cloud.run.v2 over gRPC, no TLS); tasks are processes.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument(
        "--port", type=int, required=True, help="0 takes a free one, printed as `listening HOST:PORT`"
    )
    parser.add_argument("--job", default=JOB, help="the only job there is (%(default)s)")
    parser.add_argument(
        "--cold-start-s",
        type=float,
        default=0.0,
        metavar="S",
        help="from the request to the start of its tasks",
    )
    parser.add_argument("--logs", type=Path, metavar="DIR", help="a folder for what the tasks print")
    parser.add_argument(
        "command",
        nargs="*",
        help="what a task runs, with the execution's environment on top of ours; nothing: it waits",
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
