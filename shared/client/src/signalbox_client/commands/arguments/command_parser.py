"""The arguments of the `signalbox` command: every subcommand with its flags and its help."""

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

from signalbox_client.commands import login as login_commands
from signalbox_client.commands import new as new_command
from signalbox_client.commands import retry as retry_commands
from signalbox_client.commands import runs as run_commands
from signalbox_client.commands import start as start_command
from signalbox_client.commands import watch as watch_commands
from signalbox_client.commands.arguments.action_arguments import add_actions
from signalbox_client.commands.arguments.completion import SHELLS, completion_script
from signalbox_client.commands.arguments.passkey_arguments import add_passkeys
from signalbox_client.commands.arguments.query_arguments import add_queries
from signalbox_client.commands.arguments.schedule_arguments import add_schedules
from signalbox_client.commands.command_context import AddCommand, Command, CommandContext, CommandParser
from signalbox_core.errors import InvalidInput

DEFAULT_URL: Final = "http://127.0.0.1:8080"
_EXAMPLES: Final = """\
examples:
  signalbox start ad_creative --url https://shop.example/coffee --watch
  signalbox approvals
  signalbox decide RUN APPROVAL
  signalbox artifacts RUN --to pictures

`signalbox COMMAND --help` describes a command; `signalbox start NAME --help` lists a pipeline's input fields.
Set SIGNALBOX_URL and SIGNALBOX_API_KEY to choose the gateway and to authenticate, or run `signalbox login`.
"""


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the arguments; after `start` and `retry`, unknown ones are fields of the pipeline's input."""
    _check_text(sys.argv[1:] if argv is None else argv)
    parser = _parser()
    options, rest = parser.parse_known_args(argv)
    if rest and options.command not in (start_command.start, retry_commands.retry):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    options.rest = rest
    return options


def _check_text(words: Sequence[str]) -> None:
    """Raises: InvalidInput: an argument has bytes that are not UTF-8, so it cannot be sent."""
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError:
            raise InvalidInput(f"the argument {word!r} is not valid UTF-8; type it again") from None


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
        subparser.set_defaults(command=command, is_local=False, parser=subparser)
        return subparser

    _add_start_and_watch(add)
    add_queries(add)
    add_actions(add)
    add_passkeys(add)
    add_schedules(add)
    _add_setup(add, parser)
    return parser


def _add_start_and_watch(add: AddCommand) -> None:
    add("pipelines", "list the pipelines you can start", run_commands.pipelines)
    types = add(
        "types",
        "write the pipelines' contracts as TypeScript",
        run_commands.types,
        details="The declarations have the types of each pipeline's input, result, answers and external "
        "events.",
    )
    types.add_argument("--to", metavar="FILE", help="write to this file instead of standard output")
    new = add(
        "new",
        "write a new, working pipeline with tests and a recorded run",
        new_command.new,
        details="Creates a separate package in a folder of that name. Needs no gateway.",
    )
    new.set_defaults(is_local=True)
    new.add_argument("name", metavar="NAME", help="lower case letters, digits and underscores")
    new.add_argument("--to", metavar="DIR", help="write to this folder")
    new.add_argument(
        "--in-tree", action="store_true", help="write into a checkout of Signalbox, below shared/pipelines"
    )
    start = add(
        "start", "start a run; every field of its input is a flag", start_command.start, has_help=False
    )
    start.add_argument("name", metavar="NAME", nargs="?", help="the pipeline's name")
    # They are parsed once the fields of the pipeline are known; here they are for completion.
    own_options = CommandParser(add_help=False, allow_abbrev=False)
    start_command.add_start_options(own_options, takes_files=True)
    start.set_defaults(own_options=own_options)
    watch = add(
        "watch",
        "watch runs until they end",
        watch_commands.watch,
        details="Shows progress bars on a terminal, otherwise one line per event. Reconnects automatically. "
        "Exit code 0 if every run completed, else 1; Ctrl-C stops watching, not the runs.",
    )
    watch.add_argument("runs", metavar="RUN", nargs="+", help="a run id; up to 32")


def _add_setup(add: AddCommand, parser: argparse.ArgumentParser) -> None:
    login = add(
        "login",
        "store your API key for a gateway",
        login_commands.login,
        details="Prompts for the key, or reads it from --key-file; checks it with the gateway, and stores it "
        "in a file that only you can read. SIGNALBOX_API_KEY takes precedence over it.",
    )
    login.add_argument("--key-file", metavar="FILE", help="read the key from this file (-: standard input)")
    add(
        "logout",
        "delete the stored API key of a gateway",
        login_commands.logout,
        details="The key stays valid; `signalbox-admin keys revoke` revokes it.",
    )

    async def print_completion(_: CommandContext, options: argparse.Namespace) -> int:
        sys.stdout.write(completion_script(parser, options.shell))
        return 0

    completion = add(
        "completion",
        "print the completion script for a shell",
        print_completion,
        details="For bash: source <(signalbox completion bash). For zsh, the same in .zshrc after compinit. "
        "For fish: signalbox completion fish | source. Needs no gateway.",
    )
    completion.add_argument("shell", metavar="SHELL", choices=SHELLS, help="bash, zsh or fish")
    completion.set_defaults(is_local=True)


def _common(default: object) -> CommandParser:
    parser = CommandParser(add_help=False, allow_abbrev=False)
    group = parser.add_argument_group("common options")
    group.add_argument("--json", action="store_true", default=default or False, help="print JSON")
    group.add_argument(
        "--gateway",
        metavar="URL",
        default=default,
        help=f"the gateway's URL (default: $SIGNALBOX_URL, that of `signalbox login`, or {DEFAULT_URL})",
    )
    group.add_argument(
        "--api-key",
        metavar="KEY",
        default=default,
        help="your API key (default: $SIGNALBOX_API_KEY or that of `signalbox login`, which are safer: "
        "other users can read arguments)",
    )
    return parser
