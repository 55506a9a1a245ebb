"""What every command of the `signalbox` command line shares: its context and its argument parser."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NoReturn, TextIO

from rich.console import Console

from signalbox_client.asynchronous import AsyncSignalbox
from signalbox_core.errors import InvalidInput


class CommandContext:
    """A connected client, the console, and whether the output is JSON."""

    def __init__(self, *, client: AsyncSignalbox, console: Console, as_json: bool) -> None:
        self.client = client
        self.console = console
        self.as_json = as_json

    def print(self, text: str) -> None:
        """Print plain text: no markup, no wrapping."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    @property
    def is_interactive(self) -> bool:
        """Whether a person can be prompted: standard input and output are a terminal."""
        return sys.stdin.isatty() and self.console.is_terminal

    async def prompt(self, text: str) -> str:
        return await read_line(text)


Command = Callable[[CommandContext, argparse.Namespace], Awaitable[int]]
AddCommand = Callable[..., argparse.ArgumentParser]
"""Adds a subcommand: its name, its help and its function; returns its parser."""


class CommandParser(argparse.ArgumentParser):
    """Raises usage errors, so that they are printed on one line like every other error."""

    def error(self, message: str) -> NoReturn:
        raise InvalidInput(f"{message}; see {self.prog} --help")


def add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="the run id")


def whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number, not {text!r}") from None


def read_text(name: str, *, option: str) -> str:
    """Read a text file that an option names (`-`: standard input).

    Raises:
        InvalidInput: it cannot be read, or is not UTF-8.
    """
    try:
        return (_read_stdin() if name == "-" else Path(name).read_bytes()).decode()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a text file"
        raise InvalidInput(f"{option} {name}: {reason}", field=option) from None


def _read_stdin() -> bytes:
    """Read standard input to its end, until Ctrl-C.

    The first Ctrl-C only cancels a task of asyncio, which does not end a read.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return sys.stdin.buffer.read()
    finally:
        signal.signal(signal.SIGINT, before)


async def read_line(prompt: str, stdin: TextIO | None = None) -> str:
    """Read a line from the terminal without blocking the event loop, so that Ctrl-C works at the prompt.

    Raises:
        EOFError: Ctrl-D.
    """
    source = stdin or sys.stdin
    loop = asyncio.get_running_loop()
    typed: asyncio.Future[str] = loop.create_future()
    sys.stdout.write(prompt)
    sys.stdout.flush()
    loop.add_reader(source.fileno(), lambda: None if typed.done() else typed.set_result(source.readline()))
    try:
        line = await typed
    finally:
        loop.remove_reader(source.fileno())
    if not line:
        raise EOFError
    return line.rstrip("\n")
