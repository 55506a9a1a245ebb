"""The arguments of `signalbox schedules`."""

import argparse
from collections.abc import Mapping
from typing import Final

from signalbox_client.commands import schedules
from signalbox_client.commands.command_context import AddCommand, CommandContext, whole_number
from signalbox_core.errors import InvalidInput

_NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "list": (),
    "create": ("schedule", "pipeline", "input"),
    "backfill": ("schedule", "first", "last"),
}
_OVERLAPS: Final = ("skip", "buffer_one", "buffer_all", "cancel_other", "allow_all")


def add_schedules(add: AddCommand) -> None:
    parser = add(
        "schedules",
        "list schedules, or manage one",
        _run_action,
        details="Without an action, lists the schedules. `create` needs --pipeline, --input and either "
        "--cron or --every; `backfill` needs --from and --to.",
    )
    parser.add_argument(
        "action",
        metavar="ACTION",
        nargs="?",
        default="list",
        choices=tuple(schedules.ACTIONS),
        help=f"one of {', '.join(schedules.ACTIONS)} (default: %(default)s)",
    )
    parser.add_argument("schedule", metavar="SCHEDULE", nargs="?", help="the schedule's id")
    parser.add_argument("--pipeline", metavar="NAME", help="create: the pipeline to start")
    parser.add_argument("--input", metavar="FILE", help="create, update: a JSON file (-: standard input)")
    _add_times(parser)
    parser.add_argument("--overlap", choices=_OVERLAPS, help="what happens while an earlier run is open")
    parser.add_argument(
        "--priority", type=whole_number, metavar="N", help="priority of the runs: 1 (first) to 5 (last)"
    )
    parser.add_argument("--paused", action="store_true", help="create: start paused")
    parser.add_argument("--note", metavar="TEXT", help="create, update, pause: a comment")
    parser.add_argument("--from", dest="first", metavar="TIME", help="backfill: the first time")
    parser.add_argument("--to", dest="last", metavar="TIME", help="backfill: the last time")


def _add_times(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--cron",
        metavar="EXPRESSION",
        action="append",
        help="five fields, as in '0 6 * * mon-fri'; may be repeated",
    )
    parser.add_argument("--time-zone", metavar="NAME", help="the IANA time zone of --cron (default: UTC)")
    parser.add_argument(
        "--every", dest="every_s", type=whole_number, metavar="SECONDS", help="an interval instead of --cron"
    )
    parser.add_argument(
        "--offset", dest="offset_s", type=whole_number, metavar="SECONDS", help="shifts the interval"
    )
    parser.add_argument(
        "--jitter", dest="jitter_s", type=whole_number, metavar="SECONDS", help="delays starts at random"
    )
    parser.add_argument(
        "--catch-up",
        dest="catch_up_s",
        type=whole_number,
        metavar="SECONDS",
        help="how late a start may be (default: a day)",
    )


async def _run_action(context: CommandContext, options: argparse.Namespace) -> int:
    for name in _NEEDED.get(options.action, ("schedule",)):
        if getattr(options, name) is None:
            option = {"schedule": "SCHEDULE", "first": "--from", "last": "--to"}.get(name, f"--{name}")
            raise InvalidInput(
                f"`signalbox schedules {options.action}` needs {option}; see signalbox schedules --help",
                field=option,
            )
    return await schedules.ACTIONS[options.action](context, options)
