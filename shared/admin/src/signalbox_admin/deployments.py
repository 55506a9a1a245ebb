"""`signalbox-admin deployments`: lists the builds of the workers, and which of them may be stopped."""

import argparse
import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from signalbox_admin.command_line import Subparsers, add_command, print_line

if TYPE_CHECKING:
    from signalbox_admin.versions.overview import BuildOverview

_TITLES: Final = ("DEPLOYMENT", "BUILD", "STATE", "OPEN", "PINNED", "DRAINED", "WORKERS")


def add_parser(subparsers: Subparsers) -> None:
    parser = add_command(
        subparsers,
        "deployments",
        "list the builds of the workers, their open runs, and which are drained",
        "OPEN counts open workflows whose latest workflow task the build completed, PINNED those that must "
        "complete on it. Workers of a drained build may be stopped. The connection is configured by "
        "$TEMPORAL_ADDRESS, $TEMPORAL_NAMESPACE, $TEMPORAL_TLS_… and $TEMPORAL_API_KEY.",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="only this deployment")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=lambda options: asyncio.run(run(options)))


async def run(options: argparse.Namespace) -> int:
    from signalbox_admin.versions.overview import describe_builds
    from signalbox_core.temporal import connect

    builds = await describe_builds(await connect(), options.name)
    if options.json:
        print_line(msgspec.json.format(msgspec.json.encode(builds), indent=2).decode())
    elif not builds:
        print_line("no deployments: no worker has SIGNALBOX_WORKER_DEPLOYMENT_NAME set")
    else:
        for line in table([_TITLES, *(row(build) for build in builds)]):
            print_line(line)
    return 0


def row(build: "BuildOverview") -> tuple[str, ...]:
    """The cells of a build."""
    return (
        build.deployment,
        build.build,
        f"ramping {build.percent:g} %" if build.state == "ramping" else build.state,
        str(build.open_runs),
        str(build.pinned_runs),
        "yes" if build.is_drained else "no",
        _workers(build),
    )


def _workers(build: "BuildOverview") -> str:
    if not build.has_workers:
        return "none"
    return f"none for {', '.join(build.unserved_queues)}" if build.unserved_queues else "polling"


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines with aligned columns."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
        for cells in rows
    ]
