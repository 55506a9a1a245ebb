"""Runs a demo from start to end: starts the stack, watches the run, answers approvals and saves the files."""

import asyncio
import shutil
import time
from collections.abc import Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Final

from msgspec import Struct
from rich.console import Console

from signalbox_client.asynchronous import AsyncSignalbox
from signalbox_client.commands.command_context import CommandContext
from signalbox_client.commands.decide import decide_interactively
from signalbox_client.commands.renderers import Renderer, choose_renderer
from signalbox_client.models import Approval
from signalbox_client.stream_follower import Update
from signalbox_core.errors import InvalidInput, NotFound, Unavailable
from signalbox_devstack.demo.scenario import DemoContext, DemoResult, DemoScenario, PendingApproval
from signalbox_devstack.stack.child import last_lines
from signalbox_devstack.stack.endpoints import Endpoints
from signalbox_devstack.stack.folder import StateFolder
from signalbox_devstack.stack.options import StackOptions, resolve_config
from signalbox_devstack.stack.supervisor import running_stack

_FOLDER: Final = Path(".state/demo")
_MAX_PATHS_SHOWN: Final = 20
_APPROVAL_RETRIES: Final = 40
_RETRY_DELAY_S: Final = 0.25


class DemoStats(Struct):
    """Counts and durations, collected while the run is watched."""

    events: int = 0
    progress_messages: int = 0
    decisions: int = 0
    stack_s: float = 0.0
    run_s: float = 0.0
    deciding_s: float = 0.0
    status: str = "unknown"
    error: str = ""

    def count(self, update: Update) -> None:
        self.status = update.snapshot.status
        if update.snapshot.error:
            self.error = update.snapshot.error.message
        if update.event is not None:
            self.events += update.event.sequence is not None
            self.progress_messages += update.event.sequence is None


async def run_demo(scenario: DemoScenario, console: Console, environ: Mapping[str, str]) -> int:
    """Run one demo; 0 when the run completed and its files are saved.

    Raises:
        InvalidInput: a demo is already running, or the stack cannot be set up.
        Unavailable: the run did not complete; the message has the worker's last log lines.
    """
    started_at, stats = time.monotonic(), DemoStats()
    _remove_previous_stack(_FOLDER / "stack")
    setup = scenario.setup(environ)
    options = StackOptions(state_dir=_FOLDER / "stack", ports="auto", also=setup.also)
    config, parts = resolve_config(options, {**environ, **setup.environ})
    _print(console, f"Starting the stack: {', '.join(part.name for part in parts)}")

    def report(line: str) -> None:
        console.print(f"  {line}", style="dim", markup=False, highlight=False)

    async with running_stack(config, parts, report=report) as stack:
        stats.stack_s = time.monotonic() - started_at
        endpoints, files = stack.endpoints(), _empty_folder(_FOLDER / "files")
        _print_addresses(console, endpoints)
        async with AsyncSignalbox(str(endpoints.gateway), endpoints.api_keys["admin"]) as client:
            session = CommandContext(client=client, console=console, as_json=False)
            context = DemoContext(session=session, endpoints=endpoints, folder=files, environ=environ)
            result = await _run_pipeline(scenario, context, stats)
        if result is None or not result.paths:
            raise Unavailable(
                f"the run ended as {stats.status}: {stats.error or 'it has no files'}"
                f"{_worker_log(config.folder)}"
            )
        _print_result(console, result)
        _print_stats(console, stats)
    _print(console, f"The stack has stopped. The files are in {files}; `make dev` keeps a stack running.")
    return 0


async def _run_pipeline(scenario: DemoScenario, context: DemoContext, stats: DemoStats) -> DemoResult | None:
    """Start the run, watch it to its end and save its files; None when it did not complete."""
    run_input = await scenario.prepare(context)
    started_at, client = time.monotonic(), context.session.client
    started = await client.start(scenario.pipeline, run_input)
    answered: set[PendingApproval] = set()
    with choose_renderer(context.session.console, as_json=False) as screen:
        async with aclosing(client.watch(started.run_id)) as updates:
            async for update in updates:
                screen.show(update)
                stats.count(update)
                for pending in scenario.pending_approvals(update):
                    if pending not in answered:
                        answered.add(pending)
                        stats.deciding_s += await _decide(scenario, context, screen, pending)
                        stats.decisions += 1
    stats.run_s = time.monotonic() - started_at
    return await scenario.finish(context, started.run_id) if stats.status == "completed" else None


async def _decide(
    scenario: DemoScenario, context: DemoContext, screen: Renderer, pending: PendingApproval
) -> float:
    """Decide one approval, by asking the user or with the scenario's answer; return the seconds that took."""
    started_at, session = time.monotonic(), context.session
    with screen.suspended():
        approval = await _read_approval(session.client, pending)
        if context.environ.get("DEMO_YES") == "1" or not session.is_interactive:
            answer = scenario.answer(approval)
            await session.client.decide(
                pending.run_id,
                pending.approval_id,
                answer,
                digest=approval.digest,
                note="Decided by the demo",
            )
            session.print(f"  {approval.title} The demo answers: {describe_answer(answer)}")
        else:
            session.print("\nThe console shows the details, at the address above.")
            await decide_interactively(session, pending.run_id, approval)
    return time.monotonic() - started_at


async def _read_approval(client: AsyncSignalbox, pending: PendingApproval) -> Approval:
    """Read the approval. That of a child run can appear in the parent's progress before it is readable."""
    for _ in range(_APPROVAL_RETRIES):
        try:
            return await client.approval(pending.run_id, pending.approval_id)
        except NotFound:
            await asyncio.sleep(_RETRY_DELAY_S)
    return await client.approval(pending.run_id, pending.approval_id)


def describe_answer(answer: Mapping[str, object]) -> str:
    """One line: `v1 approve, v2 reject` for a list of decisions, `kind letter` for single fields."""
    words = []
    for name, value in answer.items():
        items = value if isinstance(value, list) else [{name: name, "value": value}]
        words += [
            " ".join(str(member) for member in list(item.values())[:2])
            for item in items
            if isinstance(item, dict)
        ]
    return ", ".join(words)


def _empty_folder(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _remove_previous_stack(folder: Path) -> None:
    """Raises: InvalidInput when a demo is still running in the folder."""
    if folder.is_dir() and StateFolder(folder.resolve()).supervisor_pid() is not None:
        raise InvalidInput(
            f"another demo is running in {folder}; wait until it has finished", field="PIPELINE"
        )
    shutil.rmtree(folder, ignore_errors=True)


def _print(console: Console, line: str, style: str | None = None) -> None:
    console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)


def _print_addresses(console: Console, endpoints: Endpoints) -> None:
    _print(console, "\nYou can also watch the run in a browser until the demo ends:")
    _print(console, f"  console      {endpoints.gateway}   (sign in with {endpoints.api_keys['admin']})")
    _print(console, f"  Temporal UI  {endpoints.temporal_ui}\n")


def _print_result(console: Console, result: DemoResult) -> None:
    for line in ("", *result.lines):
        _print(console, line)
    _print(console, f"\n{result.title}:" if result.lines else f"{result.title}:", "bold")
    for path in result.paths[:_MAX_PATHS_SHOWN]:
        _print(console, f"  {path}")
    if len(result.paths) > _MAX_PATHS_SHOWN:
        _print(console, f"  and {len(result.paths) - _MAX_PATHS_SHOWN} more in {_FOLDER / 'files'}")


def _print_stats(console: Console, stats: DemoStats) -> None:
    _print(console, "\nWhat happened", "bold")
    _print(console, f"  the stack was ready after {stats.stack_s:.1f} s; the run took {stats.run_s:.1f} s")
    _print(
        console,
        f"  one event stream delivered {stats.events} events in order "
        f"and {stats.progress_messages} progress messages",
    )
    if stats.decisions:
        plural = "" if stats.decisions == 1 else "s"
        _print(console, f"  {stats.decisions} approval{plural} decided in {stats.deciding_s:.1f} s")
    _print(console, "")


def _worker_log(folder: StateFolder) -> str:
    return "".join(f"\n    {line[:400]}" for line in last_lines(folder.log("worker"), 8))
