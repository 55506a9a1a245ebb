"""The `signalbox` command: parse, connect, run one command. Errors are one line; exit code 2 is the caller's to fix, 1 is not."""

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, NoReturn

from rich.console import Console

from signalbox_client import cli_decide, cli_runs, cli_start, cli_watch
from signalbox_client.asynchronous import AsyncSignalbox
from signalbox_client.session import Session
from signalbox_core.errors import InvalidInput, Rejected, SignalboxError

Command = Callable[[Session, argparse.Namespace], Awaitable[int]]
_WIDE: Final = 250
_DEFAULT_URL: Final = "http://127.0.0.1:8080"


def main(argv: Sequence[str] | None = None) -> int:
    try:
        options = _parse(argv)
        return asyncio.run(_run(options, os.environ))
    except SignalboxError as error:
        print(f"signalbox: {_one_line(error)}", file=sys.stderr)
        return 2 if isinstance(error, Rejected) else 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader (head, less) has gone; Python would complain once more when it closes standard output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """What the parser does not know is a field of a pipeline's input after `start`, and a mistake elsewhere."""
    parser = _parser()
    options, rest = parser.parse_known_args(argv)
    if rest and options.command is not cli_start.start:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    options.rest = rest
    return options


async def _run(options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    url = options.gateway or environ.get("SIGNALBOX_URL") or _DEFAULT_URL
    key = options.api_key or environ.get("SIGNALBOX_API_KEY") or ""
    command: Command = options.command
    async with AsyncSignalbox(url, key) as client:
        return await command(Session(client=client, console=_console(), as_json=options.json), options)


def _console() -> Console:
    """Without a terminal nothing is folded: a script reads one row a line."""
    return Console() if sys.stdout.isatty() else Console(width=_WIDE)


def _one_line(error: SignalboxError) -> str:
    """Names the field where the text does not."""
    text = " ".join(error.detail.split())
    return f"{error.field}: {text}" if error.field and error.field not in text else text


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InvalidInput(f"{message}; see {self.prog} --help")


def _parser() -> "_Parser":
    common = _common(default=None)
    parser = _Parser(
        prog="signalbox",
        description="Start pipelines, watch their runs, decide where they ask you.",
        epilog="SIGNALBOX_URL and SIGNALBOX_API_KEY say which gateway and who you are.",
        parents=[common],
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    # Given after the command they overrule those before it; not given they leave them alone.
    again = _common(default=argparse.SUPPRESS)

    def add(name: str, about: str, command: Command, *, has_help: bool = True) -> argparse.ArgumentParser:
        made = commands.add_parser(
            name, help=about, description=about, parents=[again], add_help=has_help, allow_abbrev=False
        )
        made.set_defaults(command=command)
        return made

    _add_starting(add)
    _add_looking(add)
    _add_acting(add)
    return parser


def _add_starting(add: Callable[..., argparse.ArgumentParser]) -> None:
    add("pipelines", "list what can be started", cli_runs.pipelines)
    start = add("start", "start a run; every field of the input is a flag", cli_start.start, has_help=False)
    start.add_argument("name", metavar="NAME", nargs="?", help="a pipeline")
    watch = add("watch", "watch runs until they end", cli_watch.watch)
    watch.add_argument("runs", metavar="RUN", nargs="+")


def _add_looking(add: Callable[..., argparse.ArgumentParser]) -> None:
    runs = add("runs", "list runs, newest first", cli_runs.runs)
    runs.add_argument("--status", help="running, completed, failed, cancelled, terminated or timed_out")
    runs.add_argument("--pipeline", metavar="NAME")
    runs.add_argument("--limit", type=int, default=20, metavar="N")
    add("show", "show one run", cli_runs.show).add_argument("run", metavar="RUN")
    artifacts = add("artifacts", "list a run's files, or save them", cli_runs.artifacts)
    artifacts.add_argument("run", metavar="RUN")
    artifacts.add_argument("--to", metavar="DIR", help="save them here")
    events = add("events", "print events as they happen, or those so far", cli_watch.events)
    events.add_argument(
        "runs", metavar="RUN", nargs="*", help="these runs only (default: every run of yours)"
    )
    events.add_argument("--follow", "-f", action="store_true", help="go on until Ctrl-C")


def _add_acting(add: Callable[..., argparse.ArgumentParser]) -> None:
    add("approvals", "list what waits for a decision", cli_decide.approvals)
    decide = add("decide", "answer an approval", cli_decide.decide)
    decide.add_argument("run", metavar="RUN")
    decide.add_argument("approval", metavar="APPROVAL")
    decide.add_argument("--answer", metavar="JSON", help="without it you are asked, on a terminal")
    decide.add_argument("--note", help="kept with the decision")
    cancel = add("cancel", "cancel a run; it cleans up first", cli_runs.cancel)
    cancel.add_argument("run", metavar="RUN")
    cancel.add_argument("--reason")
    add("pause", "start no further step of a run", cli_runs.pause).add_argument("run", metavar="RUN")
    add("resume", "let a paused run go on", cli_runs.resume).add_argument("run", metavar="RUN")


def _common(default: object) -> "_Parser":
    parser = _Parser(add_help=False)
    parser.add_argument("--json", action="store_true", default=default or False, help="for programs")
    parser.add_argument(
        "--gateway", metavar="URL", default=default, help=f"the gateway (SIGNALBOX_URL, else {_DEFAULT_URL})"
    )
    parser.add_argument(
        "--api-key", metavar="KEY", default=default, help="who you are (better: SIGNALBOX_API_KEY)"
    )
    return parser
