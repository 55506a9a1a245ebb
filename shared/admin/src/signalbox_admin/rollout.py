"""`signalbox-admin rollout`: gives a new build of the workers a share of the runs, all of them, or none."""

import argparse
import asyncio
import os
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from signalbox_admin.command_line import Subparsers, add_command, print_line
from signalbox_core.errors import InvalidInput, Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from temporalio.client import Client

    from signalbox_admin.versions.canary import BlockedRun

EXIT_ROLLED_BACK: Final = 4
_MAX_WATCH_S: Final = 604_800
_SHOWN: Final = 20
_MAX_REASON_CHARS: Final = 400
_CONNECTION: Final = (
    "The connection is configured by $TEMPORAL_ADDRESS, $TEMPORAL_NAMESPACE, $TEMPORAL_TLS_… and "
    "$TEMPORAL_API_KEY."
)


def add_parser(subparsers: Subparsers) -> None:
    parser = add_command(
        subparsers,
        "rollout",
        "roll a new build of the workers out, or back",
        "NAME and BUILD are the SIGNALBOX_WORKER_DEPLOYMENT_NAME and SIGNALBOX_WORKER_BUILD_ID of its "
        f"workers, which must be running. {_CONNECTION}",
    )
    actions: Subparsers = parser.add_subparsers(required=True, metavar="ACTION", title="actions")
    canary = _add_action(
        actions,
        "canary",
        "give the build a percentage of the runs, and take it back if one of them is blocked",
        f"Exit code {EXIT_ROLLED_BACK} if it was rolled back. Ctrl-C ends the watch only.",
    )
    canary.add_argument("--percent", type=float, default=10.0, metavar="N", help="1 to 100 (default: 10)")
    canary.add_argument(
        "--watch",
        type=float,
        default=600.0,
        metavar="SECONDS",
        help="how long to watch for blocked runs (default: 600); 0: do not watch",
    )
    canary.add_argument(
        "--force",
        action="store_true",
        help="even if no worker of the build polls one of its task queues, or one of the current build's",
    )
    promote = _add_action(
        actions, "promote", "make the build current: it gets all new runs, and those that upgrade"
    )
    promote.add_argument(
        "--force",
        action="store_true",
        help="even if no worker of the build polls one of its task queues, or one of the current build's",
    )
    back = _add_action(
        actions,
        "back",
        "give the build no new runs: end its ramp, or make the previous build current again",
        "Runs that are pinned to the build stay on it.",
    )
    back.add_argument(
        "--force",
        action="store_true",
        help="even if no worker of the previous build polls one of its task queues, or one of this build's",
    )
    canary.set_defaults(run=lambda options: asyncio.run(run_canary(options)))
    promote.set_defaults(run=lambda options: asyncio.run(run_promote(options)))
    back.set_defaults(run=lambda options: asyncio.run(run_back(options)))


def _add_action(actions: Subparsers, name: str, summary: str, details: str = "") -> argparse.ArgumentParser:
    parser = add_command(actions, name, summary, details)
    parser.add_argument("name", metavar="NAME", help="the deployment")
    parser.add_argument("build", metavar="BUILD", help="the build id")
    return parser


async def run_canary(options: argparse.Namespace) -> int:
    from signalbox_admin.versions.canary import CanaryWatch
    from signalbox_admin.versions.changes import canary
    from signalbox_admin.versions.live_workers import require_workers
    from signalbox_core.temporal.builds import WorkerBuild
    from signalbox_core.temporal.deployments import WorkerDeployments

    if not 1 <= options.percent <= 100:
        raise InvalidInput(f"--percent {options.percent:g}: use 1 to 100", field="percent")
    if not 0 <= options.watch <= _MAX_WATCH_S:
        raise InvalidInput(f"--watch {options.watch:g}: use 0 to {_MAX_WATCH_S} seconds", field="watch")
    client = await _connect(options)
    deployments = WorkerDeployments(client)
    await deployments.change(
        options.name,
        lambda deployment: canary(deployment, options.build, options.percent, is_forced=options.force),
        check=require_workers(deployments),
    )
    print_line(f"build {options.build} of {options.name} gets {options.percent:g} % of the runs")
    sys.stdout.flush()
    if not options.watch:
        return 0
    # By Temporal's clock, as are the start times of runs.
    ramping = (await deployments.describe(options.name)).ramping
    began = ramping.since if ramping is not None and ramping.since is not None else datetime.now(UTC)
    watch = CanaryWatch(client, WorkerBuild(options.name, options.build), began)
    try:
        blocked = await watch.watch(timedelta(seconds=options.watch))
    except (InvalidInput, Unavailable) as error:
        kind = InvalidInput if isinstance(error, InvalidInput) else Unavailable
        raise kind(
            f"{error.detail}; build {options.build} still gets {options.percent:g} % of the runs"
        ) from error
    if blocked:
        return await roll_back(client, options.name, options.build, blocked)
    count = await _count(watch.count())
    began_on_it = (
        f"{count} runs began on the build" if count is not None else "how many began on the build is unknown"
    )
    print_line(
        f"no run was blocked in {options.watch:g} s; {began_on_it}. Next: "
        f"signalbox-admin rollout promote {options.name} {options.build}"
    )
    return 0


async def roll_back(client: "Client", name: str, build: str, blocked: "list[BlockedRun]") -> int:
    """End the ramp of a build on which runs are blocked; returns the exit code."""
    from signalbox_admin.versions.canary import count_pinned
    from signalbox_admin.versions.changes import back
    from signalbox_core.temporal.builds import WorkerBuild
    from signalbox_core.temporal.deployments import WorkerDeployments

    # First what was found: the change may fail.
    for run in blocked[:_SHOWN]:
        print_line(f"blocked  {run.tenant}  {run.run_id}  ({run.pipeline})")
        print_line(f"         {' '.join(run.reason.split())[:_MAX_REASON_CHARS]}")
    if len(blocked) > _SHOWN:
        print_line(f"and {len(blocked) - _SHOWN} more")
    sys.stdout.flush()
    await WorkerDeployments(client).change(name, lambda deployment: back(deployment, build))
    print_line(f"rolled back: build {build} of {name} gets no new runs")
    pinned = await _count(count_pinned(client, WorkerBuild(name, build)))
    if pinned is None:
        print_line("how many open runs are pinned to it is unknown: keep its workers")
    elif pinned:
        print_line(f"{pinned} open runs are pinned to it: keep its workers, or move them to a fixed build")
    return EXIT_ROLLED_BACK


async def _count(counting: "Awaitable[int]") -> int | None:
    """The count, or None if Temporal does not provide it: a figure must not change the exit code."""
    from temporalio.service import RPCError

    try:
        return await counting
    except RPCError:
        return None


async def run_promote(options: argparse.Namespace) -> int:
    from signalbox_admin.versions.changes import promote
    from signalbox_admin.versions.live_workers import require_workers
    from signalbox_core.temporal.deployments import WorkerDeployments

    deployments = WorkerDeployments(await _connect(options))
    before = await deployments.change(
        options.name,
        lambda deployment: promote(deployment, options.build, is_forced=options.force),
        check=require_workers(deployments),
    )
    print_line(f"build {options.build} of {options.name} is current")
    if before.current is not None and before.current.build_id != options.build:
        print_line(
            f"keep the workers of {before.current.build_id} running until it is drained: "
            f"signalbox-admin deployments {options.name}"
        )
    return 0


async def run_back(options: argparse.Namespace) -> int:
    from signalbox_admin.versions.changes import back
    from signalbox_admin.versions.live_workers import require_workers
    from signalbox_core.temporal.deployments import WorkerDeployments

    deployments = WorkerDeployments(await _connect(options))
    before = await deployments.change(
        options.name,
        lambda deployment: back(deployment, options.build, is_forced=options.force),
        check=require_workers(deployments),
    )
    after = await deployments.describe(options.name)
    current = after.current.build_id if after.current is not None else "none"
    print_line(f"build {options.build} of {options.name} gets no new runs; current: {current}")
    if before.current is not None and before.current.build_id == options.build:
        print_line(f"give the burst workers build {current}")
    return 0


async def _connect(options: argparse.Namespace) -> "Client":
    from signalbox_core.crypto.sealing import VARIABLE, open_key_ring
    from signalbox_core.temporal import connect

    for field in ("name", "build"):
        if "'" in (value := getattr(options, field)) or "\\" in value:
            raise InvalidInput(f"{value!r}: names contain no quotation marks and backslashes", field=field)
    return await connect(keys=open_key_ring(os.environ.get(VARIABLE)))
