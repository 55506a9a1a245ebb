"""`signalbox-admin objects sweep`: deletes the stored payloads of runs that Temporal no longer has."""

import argparse
import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from signalbox_admin.command_line import (
    Subparsers,
    add_command,
    add_objects_option,
    print_line,
    required_objects,
)
from signalbox_admin.payloads.references import folder_of, tenant_of_key
from signalbox_admin.payloads.sweep import Sweep, has_workflows, list_candidates, read_retention
from signalbox_core.errors import InvalidInput
from signalbox_core.objects import StoredObject, open_object_store

if TYPE_CHECKING:
    from temporalio.client import Client

_MAX_AGE_DAYS: Final = 36_500


def add_parser(subparsers: Subparsers) -> None:
    group = add_command(subparsers, "objects", "delete stored payloads that nothing needs any more")
    actions = group.add_subparsers(required=True, metavar="COMMAND", title="commands")
    sweep = add_command(
        actions,
        "sweep",
        "delete the large payloads of runs that Temporal no longer has",
        "A payload is kept while Temporal has its run, open or ended, and while the history of any other run "
        "or a schedule refers to it. It reads every history, so run it when the load is low. Only for a "
        "store that no other namespace uses. Without --delete it deletes nothing. The connection is "
        "configured by $TEMPORAL_ADDRESS, $TEMPORAL_NAMESPACE, $TEMPORAL_TLS_… and $TEMPORAL_API_KEY; no "
        "payload keys are needed.",
    )
    add_objects_option(sweep)
    sweep.add_argument("--tenant", help="only payloads of this tenant")
    sweep.add_argument(
        "--older-than",
        type=int,
        metavar="DAYS",
        help="only payloads of at least this age (default: a day more than the retention of the namespace)",
    )
    sweep.add_argument(
        "--namespace",
        metavar="NAME",
        help="the namespace whose runs use this store; it must be that of the connection",
    )
    sweep.add_argument("--delete", action="store_true", help="delete them; needs --namespace")
    sweep.set_defaults(run=lambda options: asyncio.run(_sweep(options)))


async def _sweep(options: argparse.Namespace) -> int:
    from signalbox_core.temporal import connect

    _check_days(options.older_than)
    store = open_object_store(required_objects(options))
    client = await connect()
    _check_namespace(options, client.namespace)
    age = _checked_age(options.older_than, await read_retention(client))
    await _refuse_unused_namespace(client)
    candidates = await list_candidates(store, options.tenant, before=datetime.now(UTC) - age)
    sweep = Sweep(client, store, candidates)
    expired = await sweep.find_expired()
    _print(expired)
    summary = f"namespace {client.namespace}: {{}} of {len(candidates)} payloads"
    if not options.delete:
        found = summary.format(len(expired))
        print_line(f"{found} could be deleted; use --delete --namespace {client.namespace} to do so")
        return 0
    print_line(f"{summary.format(await sweep.delete(expired))} deleted")
    return 0


def _check_namespace(options: argparse.Namespace, actual: str) -> None:
    """Raises: InvalidInput: the namespace of the connection is not the one that the caller means."""
    if options.namespace is None and options.delete:
        raise InvalidInput(
            "--delete needs --namespace NAME, the namespace whose runs use this store; the connection is to"
            f" {actual!r} ($TEMPORAL_NAMESPACE)",
            field="namespace",
        )
    if options.namespace not in (None, actual):
        raise InvalidInput(
            f"--namespace {options.namespace}: the connection is to the namespace {actual!r}; set"
            " $TEMPORAL_NAMESPACE to the one whose runs use this store",
            field="namespace",
        )


async def _refuse_unused_namespace(client: "Client") -> None:
    """Raises: InvalidInput: there is no workflow, so by this namespace every payload would be expired."""
    if not await has_workflows(client):
        raise InvalidInput(
            f"the namespace {client.namespace!r} has no workflows, so nothing shows that this store belongs"
            " to it; set $TEMPORAL_NAMESPACE to the one whose runs use this store",
            field="namespace",
        )


def _check_days(days: int | None) -> None:
    """Raises: InvalidInput: the age is beyond the calendar."""
    if days is not None and days > _MAX_AGE_DAYS:
        raise InvalidInput(f"--older-than {days}: use at most {_MAX_AGE_DAYS} days", field="older-than")


def _checked_age(days: int | None, retention: timedelta) -> timedelta:
    """Raises: InvalidInput: the age is less than Temporal's retention."""
    if days is None:
        return retention + timedelta(days=1)
    age = timedelta(days=days)
    if age < retention:
        raise InvalidInput(
            f"--older-than {days} is less than the retention of the namespace, {retention}; use"
            f" {-(-retention // timedelta(days=1))} or more",
            field="older-than",
        )
    return age


def _print(expired: Sequence[StoredObject]) -> None:
    by_tenant: dict[str, list[StoredObject]] = defaultdict(list)
    for item in expired:
        by_tenant[tenant_of_key(item.key)].append(item)
    for tenant, items in sorted(by_tenant.items()):
        runs = len({folder_of(item.key) for item in items})
        size = sum(item.size_bytes for item in items)
        print_line(f"{tenant}: {len(items)} payloads of {runs} runs, {size / 1e6:.1f} MB")
