"""`provision`: create or update topics, subscriptions and search attributes; may be run at any time."""

import argparse
import asyncio
import os

from signalbox_admin.output import say
from signalbox_admin.targets import Subparsers, add_pubsub_options, project_of
from signalbox_core.topology import ProvisionChange, provision_pubsub, provision_temporal


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "provision", help="create what Signalbox needs in Pub/Sub and Temporal; may be run at any time"
    )
    add_pubsub_options(parser)
    about = "($TEMPORAL_ADDRESS); TLS, mTLS and API keys come from $TEMPORAL_TLS_… and $TEMPORAL_API_KEY"
    parser.add_argument(
        "--temporal-address", default=os.environ.get("TEMPORAL_ADDRESS"), metavar="HOST:PORT", help=about
    )
    parser.add_argument(
        "--temporal-namespace",
        default=os.environ.get("TEMPORAL_NAMESPACE"),
        help="($TEMPORAL_NAMESPACE; default)",
    )
    parser.set_defaults(run=lambda options: asyncio.run(run(options)))


async def run(options: argparse.Namespace) -> int:
    changes = await provision_pubsub(project_of(options), emulator_host=options.emulator_host)
    _show(changes)
    if not options.temporal_address and "TEMPORAL_PROFILE" not in os.environ:
        say(
            "Temporal left out: give --temporal-address or TEMPORAL_ADDRESS to register the search attributes"
        )
        return 0
    from signalbox_core.temporal.client import connect

    _show(await provision_temporal(await connect(options.temporal_address, options.temporal_namespace)))
    return 0


def _show(changes: list[ProvisionChange]) -> None:
    for change in changes:
        say(f"{change.action:10} {change.kind} {change.name}")
