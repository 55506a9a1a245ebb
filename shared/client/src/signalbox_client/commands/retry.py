"""`signalbox retry`: one run, or every run that matches a query, at a steady rate."""

import argparse
import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Final

from msgspec import Struct

from signalbox_client.commands.command_context import CommandContext, CommandParser
from signalbox_client.commands.files import upload_fields
from signalbox_client.commands.flags import build_input, flags_of, read_schema
from signalbox_client.commands.renderers import print_json, table
from signalbox_client.commands.start import add_fields, name_flags, normalize, read_flags
from signalbox_client.models import Retried, RunItem
from signalbox_core.errors import Conflict, InvalidInput, NotFound

_PAGE: Final = 200
_RETRIED: Final = ("failed", "cancelled", "timed_out", "terminated")


class Refused(Struct, frozen=True, kw_only=True):
    """A run that could not be retried."""

    run_id: str
    code: str
    reason: str


async def retry(context: CommandContext, options: argparse.Namespace) -> int:
    if (options.run is None) == (options.where is None):
        raise InvalidInput("give either a run id or --where QUERY; see signalbox retry --help", field="RUN")
    if options.where is not None:
        return await _retry_many(context, options)
    if options.dry_run:
        raise InvalidInput("--dry-run works with --where", field="--dry-run")
    changes = await _changes(context, options) if options.rest else None
    _print_retried(context, await context.client.retry(options.run, at=options.at, changes=changes))
    return 0


async def _changes(context: CommandContext, options: argparse.Namespace) -> Mapping[str, object]:
    """The fields given as flags. Those that are left out keep their values, secrets included."""
    if options.at != "start":
        raise InvalidInput("changed fields need --from start", field="--from")
    run = await context.client.run(options.run)
    pipeline = await context.client.pipeline(run.pipeline)
    flags = flags_of(read_schema(pipeline.input_schema))
    parser = CommandParser(prog="signalbox retry", allow_abbrev=False, add_help=False)
    add_fields(parser, flags)
    parsed = await upload_fields(context, flags, parser.parse_args(list(map(normalize, options.rest))))
    try:
        return build_input(flags, read_flags(flags, parsed), {})
    except InvalidInput as error:
        raise name_flags(error, flags) from error


async def _retry_many(context: CommandContext, options: argparse.Namespace) -> int:
    """Retry every matching run, one after the other.

    Returns:
        1 if any was refused, else 0.
    """
    if options.rest:
        raise InvalidInput(f"unrecognized arguments: {' '.join(options.rest)}; --where changes no input")
    if options.per_second < 1:
        raise InvalidInput("--per-second must be 1 or more", field="--per-second")
    check_query(options.where)
    found = [item async for item in _matching(context, options.where)]
    if options.dry_run:
        _print_found(context, found)
        return 0
    refused = []
    for item in found:
        pause = asyncio.create_task(asyncio.sleep(1 / options.per_second))
        try:
            _print_retried(context, await context.client.retry(item.run_id, at=options.at))
        except (Conflict, NotFound, InvalidInput) as error:
            refused.append(Refused(run_id=item.run_id, code=error.stable_code, reason=error.detail))
            _print_refused(context, refused[-1])
        await pause
    if not context.as_json:
        context.print(f"{len(found) - len(refused)} retried, {len(refused)} refused")
    return 1 if refused else 0


def check_query(text: str) -> None:
    """Check that a search selects runs that can be retried; the gateway checks the rest of it.

    Raises:
        InvalidInput: the query has no status, two of them, or one that cannot be retried.
    """
    statuses = [word.partition(":")[2] for word in text.split() if word.startswith("status:")]
    if len(statuses) != 1 or statuses[0] not in _RETRIED:
        raise InvalidInput(
            f"--where needs status: once, with one of {', '.join(_RETRIED)}; {text!r} does not have that",
            field="--where",
        )


async def _matching(context: CommandContext, query: str) -> AsyncIterator[RunItem]:
    """The matching runs, each once. All are listed before the first is retried, which changes the list."""
    cursor, seen = None, set[str]()
    while True:
        page = await context.client.runs(query, limit=_PAGE, cursor=cursor)
        for item in page.runs:
            if item.run_id not in seen:
                seen.add(item.run_id)
                yield item
        cursor = page.next_cursor
        if cursor is None:
            return


def _print_found(context: CommandContext, found: list[RunItem]) -> None:
    if context.as_json:
        print_json(context.console, found)
        return
    rows = [(item.run_id, item.subject or "", item.pipeline, item.status) for item in found]
    context.console.print(table(("run", "subject", "pipeline", "status"), rows) if rows else "no runs found")
    context.print(f"{len(found)} would be retried")


def _print_retried(context: CommandContext, retried: Retried) -> None:
    if context.as_json:
        print_json(context.console, retried)
    elif retried.retry_of is None:
        context.print(f"{retried.run_id} continues; follow it with: signalbox watch {retried.run_id}")
    else:
        context.print(
            f"{retried.run_id} repeats {retried.retry_of}; follow it with: signalbox watch {retried.run_id}"
        )


def _print_refused(context: CommandContext, refused: Refused) -> None:
    if context.as_json:
        print_json(context.console, refused)
    else:
        context.print(f"{refused.run_id} refused: {refused.reason}")
