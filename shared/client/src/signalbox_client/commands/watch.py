"""`signalbox watch` and `signalbox events`."""

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Collection, Coroutine, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any, TypeVar

from signalbox_client.commands.command_context import CommandContext
from signalbox_client.commands.outcome import stop_notice
from signalbox_client.commands.renderers import JsonLines, PlainLines, Renderer, choose_renderer
from signalbox_client.models import Run, RunItem
from signalbox_core.errors import InvalidInput, NotFound
from signalbox_core.events.snapshot import ENDED

T = TypeVar("T")
_MAX_RUNS = 32
_PAGE = 100
_POLL_INTERVAL_S = 2.0


async def watch(context: CommandContext, options: argparse.Namespace) -> int:
    """Exit code 0 if every run completed, else 1."""
    return await watch_runs(context, list(dict.fromkeys(options.runs)))


async def watch_runs(context: CommandContext, run_ids: Sequence[str]) -> int:
    if len(run_ids) > _MAX_RUNS:
        raise InvalidInput(
            f"{len(run_ids)} runs are too many: watch at most {_MAX_RUNS} at a time", field="RUN"
        )
    statuses = dict.fromkeys(run_ids, "unknown")
    with (
        stop_notice(
            lambda: [run_id for run_id, status in statuses.items() if status not in ENDED], "signalbox watch"
        ),
        choose_renderer(context.console, as_json=context.as_json, run_count=len(run_ids)) as renderer,
    ):
        await gather_all([_watch_run(context, run_id, renderer, statuses) for run_id in run_ids])
    return 0 if all(status == "completed" for status in statuses.values()) else 1


async def events(context: CommandContext, options: argparse.Namespace) -> int:
    """Print the events so far; with --follow, also those to come."""
    has_one_run = len(options.runs) == 1
    renderer: Renderer = (
        JsonLines(context.console)
        if context.as_json
        else PlainLines(context.console, shows_run_ids=not has_one_run)
    )
    if options.runs:
        await gather_all(
            [
                _print_events(context, run_id, renderer, follow=options.follow, from_start=True)
                for run_id in options.runs
            ]
        )
    elif options.follow:
        await _follow_all(context, renderer)
    else:
        raise InvalidInput("give a RUN, or --follow for all your runs", field="RUN")
    return 0


async def gather_all(coroutines: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Return the results in order; the first error cancels the rest and is raised."""
    async with _task_group() as group:
        tasks = [group.create_task(item) for item in coroutines]
    return [task.result() for task in tasks]


@asynccontextmanager
async def _task_group() -> AsyncIterator[asyncio.TaskGroup]:
    """A task group that raises the first error itself, so that it is reported on one line."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


async def _watch_run(
    context: CommandContext, run_id: str, renderer: Renderer, statuses: dict[str, str]
) -> None:
    """Show the updates of a run, and keep its status in `statuses`."""
    async with aclosing(context.client.watch(run_id)) as updates:
        async for update in updates:
            statuses[run_id] = update.snapshot.status
            renderer.show(update)


async def _print_events(
    context: CommandContext, run_id: str, renderer: Renderer, *, follow: bool, from_start: bool
) -> None:
    run = await context.client.run(run_id)
    first = 0 if from_start else run.sequence
    if follow and not run.epoch and run.status not in ENDED:
        run = await _wait_for_stream(context, run)
    if not run.epoch and run.status in ENDED and run.sequence:
        _print_not_kept(run_id)
    if not run.epoch or (run.sequence == 0 and not follow):
        return
    cursor = f"{run.epoch}:{first}"
    async with aclosing(context.client.watch(run_id, last_event_id=cursor)) as updates:
        async for update in updates:
            if update.event is not None:
                renderer.show(update)
            elif from_start:
                _print_not_kept(run_id)
            if not follow and update.snapshot.sequence >= run.sequence:
                return


async def _wait_for_stream(context: CommandContext, run: Run) -> Run:
    """The run once it has a stream, or has ended; it has none while it waits for Temporal or a worker.

    Its events are read with a cursor afterwards: a stream without one leaves out those before its snapshot.
    """
    async with aclosing(context.client.watch(run.run_id)) as updates:
        async for update in updates:
            if update.snapshot.sequence == 0:
                continue
            run = await context.client.run(run.run_id)
            if run.epoch:
                return run
    return await context.client.run(run.run_id)


def _print_not_kept(run_id: str) -> None:
    """State on standard error why events are missing: a stream keeps the newest for a limited time."""
    print(
        f"signalbox: events of run {run_id} are no longer kept; see signalbox show {run_id}", file=sys.stderr
    )


async def _follow_all(context: CommandContext, renderer: Renderer) -> None:
    """Print current runs' events from now on and later runs' events from their start, until Ctrl-C."""
    followed: set[str] = set()
    began = datetime.now(UTC)
    async with _task_group() as group:
        is_first = True
        while True:
            for item in await _unknown_runs(context, followed, began):
                # A later run may have ended between two requests.
                if item.run_id not in followed and not _is_over(item, began):
                    group.create_task(
                        _print_events_if_kept(context, item.run_id, renderer, from_start=not is_first)
                    )
                followed.add(item.run_id)
            is_first = False
            await asyncio.sleep(_POLL_INTERVAL_S)


async def _unknown_runs(
    context: CommandContext, followed: Collection[str], began: datetime
) -> Sequence[RunItem]:
    """The runs that are not followed yet. The gateway lists open runs first, then those that ended last."""
    found: list[RunItem] = []
    cursor: str | None = None
    while True:
        page = await context.client.runs(limit=_PAGE, cursor=cursor)
        found += (item for item in page.runs if item.run_id not in followed)
        has_older = any(
            item.status in ENDED and (item.run_id in followed or _is_over(item, began)) for item in page.runs
        )
        cursor = page.next_cursor
        if has_older or cursor is None:
            return found


def _is_over(item: RunItem, began: datetime) -> bool:
    return item.status in ENDED and (item.started_at is None or item.started_at < began)


async def _print_events_if_kept(
    context: CommandContext, run_id: str, renderer: Renderer, *, from_start: bool
) -> None:
    """Follow a run; one that is not kept any more does not end the others."""
    with suppress(NotFound):
        await _print_events(context, run_id, renderer, follow=True, from_start=from_start)
