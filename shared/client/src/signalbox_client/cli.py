"""The `signalbox` command: parse arguments, connect, run one command.

Errors are one line on standard error. Exit code 2: the caller must change something; 1: anything else.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Final

from rich.console import Console

from signalbox_client.asynchronous import AsyncSignalbox
from signalbox_client.commands import decide as decide_commands
from signalbox_client.commands import new as new_command
from signalbox_client.commands import retry as retry_commands
from signalbox_client.commands import runs as run_commands
from signalbox_client.commands import start as start_command
from signalbox_client.commands import watch as watch_commands
from signalbox_client.commands.command_context import CommandContext, CommandParser
from signalbox_core.errors import Rejected, SignalboxError

Command = Callable[[CommandContext, argparse.Namespace], Awaitable[int]]
_PIPE_WIDTH: Final = 250
_DEFAULT_URL: Final = "http://127.0.0.1:8080"
_EXAMPLES: Final = """\
examples:
  signalbox start ad_creative --url https://shop.example/coffee --watch
  signalbox approvals
  signalbox decide RUN APPROVAL
  signalbox artifacts RUN --to pictures

`signalbox COMMAND --help` describes a command; `signalbox start NAME --help` lists a pipeline's input fields.
Set SIGNALBOX_URL and SIGNALBOX_API_KEY to choose the gateway and to authenticate.
"""


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
        # The reader (head, less) has exited. Without this, Python reports the error again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the arguments; after `start` and `retry`, unknown ones are fields of the pipeline's input."""
    parser = _parser()
    options, rest = parser.parse_known_args(argv)
    if rest and options.command not in (start_command.start, retry_commands.retry):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    options.rest = rest
    return options


async def _run(options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    url = options.gateway or environ.get("SIGNALBOX_URL") or _DEFAULT_URL
    key = options.api_key or environ.get("SIGNALBOX_API_KEY") or ""
    command: Command = options.command
    async with AsyncSignalbox(url, key, on_retry=_report_retry) as client:
        return await command(CommandContext(client=client, console=_console(), as_json=options.json), options)


def _report_retry(error: SignalboxError, delay_s: float) -> None:
    # Without a gateway, the error after the last attempt suffices.
    if error.field != "SIGNALBOX_URL":
        print(f"signalbox: {_one_line(error)} (next attempt in {delay_s:.1f} s)", file=sys.stderr)


def _console() -> Console:
    """A console that wraps lines on a terminal only, so that scripts read one row per line."""
    return Console() if sys.stdout.isatty() else Console(width=_PIPE_WIDTH)


def _one_line(error: SignalboxError) -> str:
    """The message, preceded by the field if the message does not contain it."""
    text = " ".join(error.detail.split())
    return f"{error.field}: {text}" if error.field and error.field not in text else text


def _parser() -> CommandParser:
    parser = CommandParser(
        prog="signalbox",
        description="Start pipelines, watch their runs, and decide their approvals.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[_common(default=None)],
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {version('signalbox-client')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")
    # Common options may also follow the command; SUPPRESS preserves a value given before it.
    common = _common(default=argparse.SUPPRESS)

    def add(
        name: str, summary: str, command: Command, *, details: str = "", has_help: bool = True
    ) -> argparse.ArgumentParser:
        subparser = commands.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}. {details}".strip(),
            parents=[common],
            add_help=has_help,
            allow_abbrev=False,
        )
        subparser.set_defaults(command=command)
        return subparser

    _add_start_and_watch(add)
    _add_queries(add)
    _add_actions(add)
    return parser


def _add_start_and_watch(add: Callable[..., argparse.ArgumentParser]) -> None:
    add("pipelines", "list the pipelines you can start", run_commands.pipelines)
    types = add(
        "types",
        "write the pipelines' contracts as TypeScript",
        run_commands.types,
        details="The declarations have the types of each pipeline's input, result and answers.",
    )
    types.add_argument("--to", metavar="FILE", help="write to this file instead of standard output")
    new = add(
        "new",
        "write a new pipeline that works, with tests and a recorded run",
        new_command.new,
        details="It becomes a package of its own in a folder of its name. Needs no gateway.",
    )
    new.add_argument("name", metavar="NAME", help="lower case letters, digits and underscores")
    new.add_argument("--to", metavar="DIR", help="write to this folder")
    new.add_argument(
        "--in-tree", action="store_true", help="write into a checkout of Signalbox, below shared/pipelines"
    )
    start = add(
        "start", "start a run; every field of its input is a flag", start_command.start, has_help=False
    )
    start.add_argument("name", metavar="NAME", nargs="?", help="the pipeline's name")
    watch = add(
        "watch",
        "watch runs until they end",
        watch_commands.watch,
        details="Shows progress bars on a terminal, otherwise one line per event. Reconnects automatically. "
        "Exit code 0 if every run completed, else 1; Ctrl-C stops watching, not the runs.",
    )
    watch.add_argument("runs", metavar="RUN", nargs="+", help="a run id; up to 32")


def _add_queries(add: Callable[..., argparse.ArgumentParser]) -> None:
    runs = add(
        "runs",
        "list or search runs, newest first",
        run_commands.runs,
        details="QUERY has the search keys status, pipeline, by, tag, started, ended, error, step and "
        "find.NAME, and words of the subject.",
    )
    runs.add_argument(
        "query",
        metavar="QUERY",
        nargs="?",
        default="",
        help="as in 'status:failed by:minh started:7d coffee'",
    )
    runs.add_argument(
        "--status",
        metavar="STATUS",
        help="only runs that are running, completed, failed, cancelled, terminated or timed_out",
    )
    runs.add_argument("--pipeline", metavar="NAME", help="only runs of this pipeline")
    runs.add_argument(
        "--limit", type=_whole_number, default=20, metavar="N", help="how many to list (default: %(default)s)"
    )
    _add_run(add("show", "show a run's steps, pending approvals and files", run_commands.show))
    _add_run(
        add(
            "input",
            "print what a run was started with",
            run_commands.show_input,
            details="Prints JSON that `signalbox start NAME --input FILE` accepts. Secrets are masked: give "
            "them again as flags.",
        )
    )
    receipt = add(
        "receipt",
        "print the receipt of a decision, or save it",
        decide_commands.receipt,
        details="`signalbox-admin audit verify FILE` checks it offline.",
    )
    _add_run(receipt)
    receipt.add_argument("approval", metavar="APPROVAL", help="the approval's id in the run")
    receipt.add_argument("--to", metavar="FILE", help="save the receipt in this file")
    artifacts = add("artifacts", "list a run's files, or save them", run_commands.artifacts)
    _add_run(artifacts)
    artifacts.add_argument("--to", metavar="DIR", help="save the files in this folder")
    events = add(
        "events",
        "print the events of runs",
        watch_commands.events,
        details="Prints the events so far of each RUN; with --follow also those to come. Without a RUN, "
        "--follow prints the events of all your runs.",
    )
    events.add_argument(
        "runs", metavar="RUN", nargs="*", help="a run id (default with --follow: all your runs)"
    )
    events.add_argument("--follow", "-f", action="store_true", help="print new events until Ctrl-C")


def _add_actions(add: Callable[..., argparse.ArgumentParser]) -> None:
    add("approvals", "list the approvals that are pending", decide_commands.approvals)
    decide = add(
        "decide",
        "show an approval's question and answer it",
        decide_commands.decide,
        details="On a terminal you are prompted for the answer; elsewhere give --answer, --agree or "
        "--object. It is refused if the question changes meanwhile.",
    )
    _add_run(decide)
    decide.add_argument(
        "approval",
        metavar="APPROVAL",
        nargs="?",
        help="the approval's id, see `signalbox approvals`; with --all the name of the questions to decide",
    )
    decide.add_argument("--all", action="store_true", help="give --answer to all pending questions of RUN")
    decide.add_argument("--dry-run", action="store_true", help="list what --all would decide, and stop")
    vote = decide.add_mutually_exclusive_group()
    vote.add_argument("--answer", metavar="JSON", help="the answer as a JSON object (-: from standard input)")
    vote.add_argument("--agree", action="store_true", help="give the answer that was given before")
    vote.add_argument("--object", metavar="REASON", help="object, with a reason")
    decide.add_argument("--note", metavar="TEXT", help="a comment, stored with the decision")
    for name, text in decide_commands.ASSIGNMENTS.items():
        assign = add(name, text, decide_commands.assign)
        _add_run(assign)
        assign.add_argument("approval", metavar="APPROVAL", help="the approval's id")
        assign.set_defaults(action=name)
    assign.add_argument("to", metavar="TO", help="a subject (key:ID, ISSUER#SUBJECT), or group:NAME")
    assign.add_argument("--note", metavar="TEXT", help="a comment for the delegate")
    cancel = add("cancel", "cancel a run; it cleans up first", run_commands.cancel)
    _add_run(cancel)
    cancel.add_argument("--reason", metavar="TEXT", help="why; stored with the run")
    _add_run(add("pause", "pause a run: it starts no further step", run_commands.pause))
    _add_run(add("resume", "resume a paused run", run_commands.resume))
    _add_retry(add)


def _add_retry(add: Callable[..., argparse.ArgumentParser]) -> None:
    retry = add(
        "retry",
        "retry runs that have ended",
        retry_commands.retry,
        details="By default a run continues from its failed step, under the same id; completed steps keep "
        "their results. With --from start a new run repeats it; its input can be changed with the flags of "
        "`signalbox start`. --where retries every run that matches, at a steady rate.",
    )
    retry.add_argument("run", metavar="RUN", nargs="?", help="the run id; or use --where")
    retry.add_argument(
        "--from",
        dest="at",
        choices=("failed", "start"),
        default="failed",
        help="where to begin (default: %(default)s)",
    )
    retry.add_argument("--where", metavar="QUERY", help="a search, as in 'status:failed started:7d'")
    retry.add_argument("--dry-run", action="store_true", help="list the runs that --where selects, and stop")
    retry.add_argument(
        "--per-second",
        type=_whole_number,
        default=5,
        metavar="N",
        help="runs retried each second (default: %(default)s)",
    )


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="the run id")


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number, not {text!r}") from None


def _common(default: object) -> CommandParser:
    parser = CommandParser(add_help=False)
    group = parser.add_argument_group("common options")
    group.add_argument("--json", action="store_true", default=default or False, help="print JSON")
    group.add_argument(
        "--gateway",
        metavar="URL",
        default=default,
        help=f"the gateway's URL (default: $SIGNALBOX_URL, or {_DEFAULT_URL})",
    )
    group.add_argument(
        "--api-key",
        metavar="KEY",
        default=default,
        help="your API key (default: $SIGNALBOX_API_KEY, which is safer: other users can read arguments)",
    )
    return parser
