"""`signalbox retry`: one run, or every run that matches a query, at a steady rate."""

import argparse
import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import Final

from msgspec import Struct

from signalbox_client.commands.command_context import CommandContext, CommandParser
from signalbox_client.commands.files import upload_fields
from signalbox_client.commands.flags import build_input, flags_of, read_schema
from signalbox_client.commands.renderers import print_json, table
from signalbox_client.commands.start import add_fields, name_flags, normalize, read_flags
from signalbox_client.models import Retried, RunItem
from signalbox_core.errors import Conflict, InvalidInput, NotFound, SignalboxError, Unavailable

_PAGE: Final = 200
_RETRIED: Final = ("failed", "cancelled", "timed_out", "terminated")
MAX_UNAVAILABLE: Final = 10
"""How many runs in a row may be unavailable, each after the client's own retries."""
_SECONDS_PER_RETRY: Final = 4
"""A gateway responds once the run is shown as running, for which it waits up to 3 s."""
_MAX_IN_FLIGHT: Final = 200


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
    """Retry every matching run.

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
    bulk = BulkRetry(
        lambda item: context.client.retry(item.run_id, at=options.at),
        per_second=options.per_second,
        on_retried=lambda retried: _print_retried(context, retried),
        on_refused=lambda refused: _print_refused(context, refused),
    )
    try:
        await bulk.retry_all(found)
    finally:
        if not context.as_json:
            context.print(f"{bulk.retried} retried, {bulk.refused} refused")
    return 1 if bulk.refused else 0


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


class BulkRetry:
    """Retries runs, starting at most `per_second` retries each second.

    Args:
        retry: retries one run.

    Attributes:
        retried, refused: how many runs.
    """

    def __init__(
        self,
        retry: Callable[[RunItem], Awaitable[Retried]],
        *,
        per_second: int,
        on_retried: Callable[[Retried], None],
        on_refused: Callable[[Refused], None],
    ) -> None:
        self._retry = retry
        self._interval_s = 1 / per_second
        self._slots = asyncio.Semaphore(min(per_second * _SECONDS_PER_RETRY, _MAX_IN_FLIGHT))
        self._on_retried = on_retried
        self._on_refused = on_refused
        self._unavailable = 0
        self._failure: SignalboxError | BrokenPipeError | None = None
        self.retried = 0
        self.refused = 0

    async def retry_all(self, runs: Iterable[RunItem]) -> None:
        """Retry the runs, in this order. Retries in flight are completed in any case.

        Raises:
            SignalboxError: a failure that concerns all runs; the rest has not been retried.
            BrokenPipeError: the reader of the output has gone; the rest has not been retried either.
        """
        loop = asyncio.get_running_loop()
        next_at = loop.time()
        async with asyncio.TaskGroup() as group:
            for run in runs:
                await self._slots.acquire()
                await asyncio.sleep(next_at - loop.time())
                if self._failure is not None:
                    break
                group.create_task(self._retry_one(run))
                # After a stall the rate stays the same: missed starts are not made up for.
                next_at = max(next_at, loop.time() - self._interval_s) + self._interval_s
        if self._failure is not None:
            raise self._failure

    async def _retry_one(self, run: RunItem) -> None:
        try:
            await self._retry_or_refuse(run)
        except (SignalboxError, BrokenPipeError) as error:
            self._failure = error
        finally:
            self._slots.release()

    async def _retry_or_refuse(self, run: RunItem) -> None:
        try:
            retried = await self._retry(run)
        except (Conflict, NotFound, InvalidInput) as error:
            self._refuse(run, error)
        except Unavailable as error:
            self._unavailable += 1
            self._refuse(run, error)
            if self._unavailable >= MAX_UNAVAILABLE:
                raise
            return
        else:
            self.retried += 1
            self._on_retried(retried)
        self._unavailable = 0

    def _refuse(self, run: RunItem, error: SignalboxError) -> None:
        self.refused += 1
        self._on_refused(Refused(run_id=run.run_id, code=error.stable_code, reason=error.detail))


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
