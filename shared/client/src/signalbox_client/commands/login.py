"""`signalbox login` and `logout`: store the API key of a gateway, and forget it."""

import argparse
import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from signalbox_client.asynchronous import AsyncSignalbox
from signalbox_client.commands.command_context import CommandContext, read_text
from signalbox_client.commands.renderers import print_json
from signalbox_client.stored_keys import keys_path, read_keys, write_keys
from signalbox_core.errors import InvalidInput


async def login(context: CommandContext, options: argparse.Namespace) -> int:
    """Check the key at the gateway, then store it."""
    if options.api_key:
        raise InvalidInput(
            "--api-key: other users of this machine can read arguments; use --key-file FILE"
            " (-: standard input), or type the key",
            field="--api-key",
        )
    key = (await _read_key(context, options.key_file)).strip()
    if not key:
        raise InvalidInput("no key was given; `signalbox-admin keys new` creates one", field="--key-file")
    path = keys_path(os.environ)
    known = await asyncio.to_thread(read_keys, path)
    async with AsyncSignalbox(context.client.url, key) as client:
        caller = await client.identity()
        await asyncio.to_thread(write_keys, path, known.with_key(client.url, key))
    if context.as_json:
        print_json(context.console, caller)
    else:
        roles = ", ".join(caller.roles)
        context.print(f"signed in to {context.client.url} as {caller.name} of {caller.tenant} ({roles})")
        context.print(f"the key is stored in {path}")
    return 0


async def logout(context: CommandContext, _: argparse.Namespace) -> int:
    """Forget the key; the key itself stays valid."""
    path, url = keys_path(os.environ), context.client.url
    known = await asyncio.to_thread(read_keys, path)
    if url in known.keys:
        await asyncio.to_thread(write_keys, path, known.without(url))
    if context.as_json:
        print_json(context.console, {"gateway": url, "was_stored": url in known.keys})
    else:
        context.print(f"the key of {url} is deleted" if url in known.keys else f"no key of {url} is stored")
    return 0


async def _read_key(context: CommandContext, name: str | None) -> str:
    """Read the key from a file, or prompt for it without echo.

    Raises:
        InvalidInput: there is no file and no terminal, or the file cannot be read.
    """
    if name is not None:
        return read_text(name, option="--key-file")
    if not context.is_interactive:
        raise InvalidInput("give --key-file FILE (-: standard input): there is no terminal to prompt on")
    with _without_echo():
        try:
            return await context.prompt(f"API key for {context.client.url}: ")
        except EOFError:
            return ""


@contextmanager
def _without_echo() -> Iterator[None]:
    """Turn off the terminal's echo. Not getpass, which does not let Ctrl-C through while it reads."""
    import termios

    terminal = sys.stdin.fileno()
    shown = termios.tcgetattr(terminal)
    hidden = [*shown[:3], shown[3] & ~termios.ECHO, *shown[4:]]
    termios.tcsetattr(terminal, termios.TCSADRAIN, hidden)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, shown)
        print()
