"""`signalbox-admin provision`: creates or updates topics, subscriptions and search attributes. Idempotent."""

import argparse
import asyncio
import os

from signalbox_admin.command_line import (
    Subparsers,
    add_command,
    add_pubsub_options,
    print_line,
    required_project,
)
from signalbox_core.topology import ProvisionChange, provision_pubsub, provision_temporal


def add_parser(subparsers: Subparsers) -> None:
    parser = add_command(
        subparsers,
        "provision",
        "create or update what Signalbox needs in Pub/Sub and Temporal",
        "Idempotent: run it before every deployment. Without a Temporal address, Temporal is skipped. "
        "TLS and the API key of Temporal are configured by $TEMPORAL_TLS_… and $TEMPORAL_API_KEY.",
    )
    add_pubsub_options(parser)
    parser.add_argument(
        "--temporal-address",
        default=os.environ.get("TEMPORAL_ADDRESS"),
        metavar="HOST:PORT",
        help="the Temporal server (default: $TEMPORAL_ADDRESS)",
    )
    parser.add_argument(
        "--temporal-namespace",
        default=os.environ.get("TEMPORAL_NAMESPACE"),
        metavar="NAME",
        help="the Temporal namespace (default: $TEMPORAL_NAMESPACE, or `default`)",
    )
    parser.set_defaults(run=lambda options: asyncio.run(run(options)))


async def run(options: argparse.Namespace) -> int:
    _print_changes(await provision_pubsub(required_project(options), emulator_host=options.emulator_host))
    if not options.temporal_address and "TEMPORAL_PROFILE" not in os.environ:
        print_line(
            "skipped Temporal: set --temporal-address or TEMPORAL_ADDRESS to register the search attributes"
        )
        return 0
    from signalbox_core.temporal.client import connect

    client = await connect(options.temporal_address, options.temporal_namespace)
    _print_changes(await provision_temporal(client))
    return 0


def _print_changes(changes: list[ProvisionChange]) -> None:
    for change in changes:
        print_line(f"{change.action:10} {change.kind} {change.name}")
