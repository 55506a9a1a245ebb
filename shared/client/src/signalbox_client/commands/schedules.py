"""`signalbox schedules`: lists, shows, creates, changes, triggers and deletes schedules."""

import argparse
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Final

import msgspec

from signalbox_client.commands.command_context import CommandContext
from signalbox_client.commands.renderers import format_time, print_json, table
from signalbox_client.commands.start import read_input_file
from signalbox_client.wire.schedule_models import Schedule
from signalbox_core.errors import InvalidInput

_MEMBERS: Final = (
    "cron",
    "every_s",
    "offset_s",
    "time_zone",
    "jitter_s",
    "overlap",
    "catch_up_s",
    "priority",
    "note",
)


async def list_schedules(context: CommandContext, _: argparse.Namespace) -> int:
    found = await context.client.schedules()
    if context.as_json:
        print_json(context.console, found)
        return 0
    rows = [
        (item.schedule_id, item.pipeline, describe_times(item), _next(item), _state(item)) for item in found
    ]
    columns = ("schedule", "pipeline", "times", "next", "state")
    context.console.print(table(columns, rows) if rows else "no schedules found")
    return 0


async def show(context: CommandContext, options: argparse.Namespace) -> int:
    return _print(context, await context.client.schedule(options.schedule))


async def create(context: CommandContext, options: argparse.Namespace) -> int:
    members = {**_given_members(options), **({"paused": True} if options.paused else {})}
    created = await context.client.create_schedule(
        options.schedule, options.pipeline, read_input_file(options.input), **members
    )
    return _print(context, created)


async def update(context: CommandContext, options: argparse.Namespace) -> int:
    changes = _given_members(options)
    if options.input is not None:
        changes = {**changes, "input": read_input_file(options.input)}
    if not changes:
        raise InvalidInput("name what to change; see signalbox schedules update --help")
    return _print(context, await context.client.update_schedule(options.schedule, **changes))


async def pause(context: CommandContext, options: argparse.Namespace) -> int:
    changes: Mapping[str, object] = {"paused": True, "note": options.note or ""}
    return _print(context, await context.client.update_schedule(options.schedule, **changes))


async def resume(context: CommandContext, options: argparse.Namespace) -> int:
    return _print(context, await context.client.update_schedule(options.schedule, paused=False, note=""))


async def trigger(context: CommandContext, options: argparse.Namespace) -> int:
    triggered = await context.client.trigger_schedule(options.schedule, overlap=options.overlap)
    if context.as_json:
        print_json(context.console, triggered)
    else:
        context.print(triggered.run_id or "the run starts later: after an open one, or when a worker is free")
    return 0


async def backfill(context: CommandContext, options: argparse.Namespace) -> int:
    first, last = _instant(options.first, "--from"), _instant(options.last, "--to")
    filled = await context.client.backfill_schedule(options.schedule, first, last, overlap=options.overlap)
    if context.as_json:
        print_json(context.console, filled)
    else:
        context.print(f"{filled.times} times; those that already have a run are skipped")
    return 0


async def delete(context: CommandContext, options: argparse.Namespace) -> int:
    await context.client.delete_schedule(options.schedule)
    if context.as_json:
        print_json(context.console, {"deleted": options.schedule})
    else:
        context.print(f"{options.schedule} deleted; its runs continue")
    return 0


ACTIONS: Final[Mapping[str, Callable[[CommandContext, argparse.Namespace], Awaitable[int]]]] = {
    "list": list_schedules,
    "show": show,
    "create": create,
    "update": update,
    "pause": pause,
    "resume": resume,
    "trigger": trigger,
    "backfill": backfill,
    "delete": delete,
}


def describe_times(schedule: Schedule) -> str:
    """When a schedule starts runs, in one line."""
    if schedule.every_s is not None:
        return f"every {schedule.every_s} s"
    return f"{' + '.join(schedule.cron)} {schedule.time_zone}"


def _given_members(options: argparse.Namespace) -> Mapping[str, object]:
    given = {name: getattr(options, name) for name in _MEMBERS}
    return {name: value for name, value in given.items() if value is not None}


def _instant(text: str, option: str) -> datetime:
    """Parse an instant; one without an offset is in the time zone of this machine."""
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        raise InvalidInput(
            f"{option}: {text!r} is not a date and time, as in 2026-11-30T06:00", field=option
        ) from None


def _next(schedule: Schedule) -> str:
    return format_time(schedule.next_at[0]) if schedule.next_at else ""


def _state(schedule: Schedule) -> str:
    if schedule.problem is not None:
        return schedule.problem.code
    if schedule.paused:
        return "paused"
    return schedule.runs[0].status if schedule.runs else ""


def _print(context: CommandContext, schedule: Schedule) -> int:
    if context.as_json:
        print_json(context.console, schedule)
        return 0
    context.print(f"{schedule.schedule_id}  {schedule.pipeline}  {describe_times(schedule)}")
    context.print(f"  overlap {schedule.overlap}, created by {schedule.created_by}")
    if schedule.paused:
        context.print(f"  paused{f': {schedule.note}' if schedule.note else ''}")
    elif schedule.note:
        context.print(f"  {schedule.note}")
    for at in schedule.next_at:
        context.print(f"  next {format_time(at)}")
    if schedule.problem is not None:
        context.print(f"  problem: {schedule.problem.detail}")
    if schedule.last_error is not None:
        context.print(f"  last error: {schedule.last_error.message}")
    if schedule.runs:
        rows = [(run.run_id, format_time(run.scheduled_at), run.status) for run in schedule.runs]
        context.console.print(table(("run", "scheduled", "status"), rows))
    context.print(f"  input {msgspec.json.format(bytes(schedule.input), indent=0).decode()}")
    return 0
