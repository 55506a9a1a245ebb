"""`signalbox result` and `open`: the result of a run, and its page in the console."""

import argparse
import asyncio
import sys
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from urllib.parse import quote

import msgspec

from signalbox_client.commands.command_context import CommandContext
from signalbox_client.commands.renderers import print_json
from signalbox_core.errors import Conflict


async def result(context: CommandContext, options: argparse.Namespace) -> int:
    """Print the result; exit code 1 if the run ended without one."""
    if options.wait:
        with stop_notice(lambda: [options.run], "signalbox result --wait"):
            async with aclosing(context.client.watch(options.run)) as updates:
                async for _ in updates:
                    pass
    try:
        body = bytes(await context.client.result(options.run))
    except Conflict as error:
        if error.stable_code != "not_finished":
            print(f"signalbox: {error.detail}", file=sys.stderr)
            return 1
        raise Conflict(
            f"run {options.run} has not ended; --wait waits for its result", code=error.stable_code
        ) from None
    context.print(body.decode() if context.as_json else msgspec.json.format(body, indent=2).decode())
    return 0


async def open_run(context: CommandContext, options: argparse.Namespace) -> int:
    """Print the address of a run's page and open it in the browser, if there is one."""
    run = await context.client.run(options.run)
    url = f"{context.client.url}/#/runs/{quote(run.run_id, safe='')}"
    if context.as_json:
        print_json(context.console, {"run_id": run.run_id, "url": url})
    else:
        context.print(url)
    if not options.no_browser:
        await asyncio.to_thread(webbrowser.open, url)
    return 0


@contextmanager
def stop_notice(unfinished: Callable[[], Sequence[str]], command: str) -> Iterator[None]:
    """On Ctrl-C, state on standard error that the runs continue, and how to return to them.

    Args:
        unfinished: the runs that have not ended.
        command: the command that continues; the run ids are appended.
    """
    try:
        yield
    except asyncio.CancelledError:
        if runs := unfinished():
            text = f"run {runs[0]} continues" if len(runs) == 1 else f"{len(runs)} runs continue"
            print(f"\nsignalbox: stopped; {text}. To return: {command} {' '.join(runs)}", file=sys.stderr)
        raise
