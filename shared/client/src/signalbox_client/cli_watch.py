"""`signalbox watch` and `signalbox events`: runs as they go on."""

import argparse
import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import aclosing
from typing import Any, TypeVar

from signalbox_client.screen import JsonLines, PlainLines, Screen, screen_for
from signalbox_client.session import Session
from signalbox_core.errors import InvalidInput
from signalbox_core.events.snapshot import ENDED

T = TypeVar("T")
_MAX_AT_ONCE = 32
_NEW_RUNS_EVERY_S = 2.0


async def watch(session: Session, options: argparse.Namespace) -> int:
    """0 when every run completed, 1 otherwise."""
    return await watch_runs(session, list(dict.fromkeys(options.runs)))


async def watch_runs(session: Session, run_ids: Sequence[str]) -> int:
    if len(run_ids) > _MAX_AT_ONCE:
        raise InvalidInput(f"watch at most {_MAX_AT_ONCE} runs at once", field="RUN")
    with screen_for(session.console, as_json=session.as_json, run_count=len(run_ids)) as screen:
        statuses = await together([_follow(session, run_id, screen) for run_id in run_ids])
    return 0 if all(status == "completed" for status in statuses) else 1


async def events(session: Session, options: argparse.Namespace) -> int:
    """The events so far, and with --follow those to come."""
    one_run = len(options.runs) == 1
    screen: Screen = (
        JsonLines(session.console) if session.as_json else PlainLines(session.console, names_runs=not one_run)
    )
    if options.runs:
        await together(
            [
                _print_events(session, run_id, screen, follow=options.follow, from_start=True)
                for run_id in options.runs
            ]
        )
    elif options.follow:
        await _follow_all(session, screen)
    else:
        raise InvalidInput("name a RUN, or use --follow for every run of yours", field="RUN")
    return 0


async def together(work: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """The results, in order; the first error ends the others and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(item) for item in work]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


async def _follow(session: Session, run_id: str, screen: Screen) -> str:
    status = "unknown"
    async with aclosing(session.client.watch(run_id)) as updates:
        async for update in updates:
            status = update.snapshot.status
            screen.show(update)
    return status


async def _print_events(
    session: Session, run_id: str, screen: Screen, *, follow: bool, from_start: bool
) -> None:
    run = await session.client.run(run_id)
    if not run.epoch or (run.sequence == 0 and not follow):
        return
    cursor = f"{run.epoch}:{0 if from_start else run.sequence}"
    async with aclosing(session.client.watch(run_id, last_event_id=cursor)) as updates:
        async for update in updates:
            if update.event is not None:
                screen.show(update)
            if not follow and update.snapshot.sequence >= run.sequence:
                return


async def _follow_all(session: Session, screen: Screen) -> None:
    """Runs that go on now from here, runs that begin later from their beginning; until Ctrl-C."""
    followed: set[str] = set()
    async with asyncio.TaskGroup() as group:
        is_first = True
        while True:
            page = await session.client.runs(limit=_MAX_AT_ONCE)
            for item in page.runs:
                if item.run_id not in followed and item.status not in ENDED:
                    group.create_task(
                        _print_events(session, item.run_id, screen, follow=True, from_start=not is_first)
                    )
                followed.add(item.run_id)
            is_first = False
            await asyncio.sleep(_NEW_RUNS_EVERY_S)
