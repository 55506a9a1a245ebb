"""What every command of the `signalbox` command line is given."""

import asyncio
import sys
from typing import TextIO

from rich.console import Console

from signalbox_client.asynchronous import AsyncSignalbox


class Session:
    """A connected client, a console, and whether a program reads the output."""

    def __init__(self, *, client: AsyncSignalbox, console: Console, as_json: bool) -> None:
        self.client = client
        self.console = console
        self.as_json = as_json

    def tell(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    @property
    def can_ask(self) -> bool:
        return sys.stdin.isatty() and self.console.is_terminal

    async def ask(self, prompt: str) -> str:
        return await read_line(prompt)


async def read_line(prompt: str, stdin: TextIO | None = None) -> str:
    """A line from the terminal without blocking the loop, so Ctrl-C works while a person thinks.

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
