"""The `signalbox` command: parse arguments, connect, run one command.

Errors are one line on standard error. Exit code 2: the caller must change something; 130: Ctrl-C; 141: the
reader of the output has exited; 1: anything else.
"""

import argparse
import asyncio
import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from rich.console import Console

from signalbox_client.asynchronous import AsyncSignalbox
from signalbox_client.commands.arguments.command_parser import DEFAULT_URL, parse_arguments
from signalbox_client.commands.command_context import Command, CommandContext
from signalbox_client.stored_keys import StoredKeys, keys_path, read_keys
from signalbox_core.errors import Rejected, SignalboxError

_PIPE_WIDTH: Final = 250
EXIT_BROKEN_PIPE: Final = 141
"""As of a program that the signal SIGPIPE ends. Not 0: a command such as `watch` has not seen the outcome."""


def main(argv: Sequence[str] | None = None) -> int:
    try:
        options = parse_arguments(argv)
        try:
            return asyncio.run(_run(options, os.environ))
        except Rejected as error:
            raise name_arguments(error, options.parser) from error
    except SignalboxError as error:
        print(f"signalbox: {_one_line(error)}", file=sys.stderr)
        return 2 if isinstance(error, Rejected) else 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader (head, less) has exited. Without this, Python reports the error again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE


async def _run(options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    stored = StoredKeys() if options.is_local else await asyncio.to_thread(read_keys, keys_path(environ))
    url = options.gateway or environ.get("SIGNALBOX_URL") or stored.gateway or DEFAULT_URL
    key = options.api_key or environ.get("SIGNALBOX_API_KEY") or stored.keys.get(url.rstrip("/")) or ""
    command: Command = options.command
    async with AsyncSignalbox(url, key, on_retry=_report_retry) as client:
        return await command(CommandContext(client=client, console=_console(), as_json=options.json), options)


def name_arguments(error: Rejected, parser: argparse.ArgumentParser) -> Rejected:
    """The gateway's error with arguments in the place of parameters: `--limit` instead of `limit`."""
    if error.field is None:
        return error
    member = re.split(r"[.\[]", error.field, maxsplit=1)[0]
    names = {
        action.dest: action.option_strings[0] if action.option_strings else str(action.metavar)
        for action in parser._actions
    }
    name = names.get(member)
    if name is None:
        return error
    detail = re.sub(rf"(?<![\w.-]){re.escape(member)}(?=[.\[]|: )", name, error.detail)
    return type(error)(detail, field=name + error.field.removeprefix(member), code=error.stable_code)


def _report_retry(error: SignalboxError, delay_s: float) -> None:
    # Without a gateway, the error after the last attempt suffices.
    if error.field != "SIGNALBOX_URL":
        print(f"signalbox: {_one_line(error)} (next attempt in {delay_s:.1f} s)", file=sys.stderr)


def _console() -> Console:
    """A console that wraps lines on a terminal only, so that scripts read one row per line."""
    return _PipedConsole(width=None if sys.stdout.isatty() else _PIPE_WIDTH)


class _PipedConsole(Console):
    """Leaves a broken pipe to `main`; by default rich ends the program with an exit code of its own."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def _one_line(error: SignalboxError) -> str:
    """The message, preceded by the field if the message does not contain it."""
    text = " ".join(error.detail.split())
    return f"{error.field}: {text}" if error.field and error.field not in text else text
