"""One demo from the first part of the stack to the last line: start, watch, decide, save, tell. The same for every pipeline."""

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
from signalbox_client.cli_decide import decide_by_asking
from signalbox_client.models import Approval
from signalbox_client.screen import Screen, screen_for
from signalbox_client.session import Session
from signalbox_client.stream_follower import Update
from signalbox_core.errors import InvalidInput, NotFound, Unavailable
from signalbox_devstack.demo.scenario import Ending, Question, Scenario, Stage
from signalbox_devstack.stack.child import last_lines
from signalbox_devstack.stack.endpoints import Endpoints
from signalbox_devstack.stack.folder import StateFolder
from signalbox_devstack.stack.options import Wish, settle_site
from signalbox_devstack.stack.supervisor import running_stack

_FOLDER: Final = Path(".state/demo")
_MOST_NAMED: Final = 20
_TRIES: Final = 40
_PAUSE_S: Final = 0.25


class Told(Struct):
    """What happened, counted while it is watched."""

    milestones: int = 0
    progress: int = 0
    decisions: int = 0
    stack_s: float = 0.0
    run_s: float = 0.0
    waited_s: float = 0.0
    status: str = "unknown"
    error: str = ""


async def play(scenario: Scenario, console: Console, environ: Mapping[str, str]) -> int:
    """0 when the run completed and left files.

    Raises:
        InvalidInput: a demo is running already, or the stack cannot be set up as asked.
        Unavailable: the run ended otherwise; the message has the worker's last lines.
    """
    began, told = time.monotonic(), Told()
    shutil.rmtree(_fresh(_FOLDER / "stack"), ignore_errors=True)
    setup = scenario.setup(environ)
    site, parts = settle_site(
        Wish(state_dir=_FOLDER / "stack", ports="auto", also=setup.also), {**environ, **setup.environ}
    )
    console.print(
        f"Starting {len(parts)} parts: {', '.join(part.name for part in parts)}",
        highlight=False,
        soft_wrap=True,
    )
    async with running_stack(
        site,
        parts,
        report=lambda line: console.print(f"  {line}", style="dim", markup=False, highlight=False),
    ) as stack:
        told.stack_s = time.monotonic() - began
        endpoints = stack.endpoints()
        _tell_addresses(console, endpoints)
        async with AsyncSignalbox(str(endpoints.gateway), endpoints.api_keys["admin"]) as client:
            session = Session(client=client, console=console, as_json=False)
            stage = Stage(
                session=session, endpoints=endpoints, folder=_emptied(_FOLDER / "files"), environ=environ
            )
            ending = await _perform(scenario, stage, told)
        if ending is None or not ending.paths:
            raise Unavailable(
                f"the run ended as {told.status}: {told.error or 'no files'}{_worker_lines(site.folder)}"
            )
        _tell_end(console, told, ending, endpoints)
    console.print(f"Everything has ended. The files stay in {stage.folder}.", highlight=False)
    return 0


async def _perform(scenario: Scenario, stage: Stage, told: Told) -> Ending | None:
    """Start, watch, decide, save."""
    given = await scenario.prepare(stage)
    began, client = time.monotonic(), stage.session.client
    started = await client.start(scenario.pipeline, given)
    answered: set[Question] = set()
    with screen_for(stage.session.console, as_json=False) as screen:
        async with aclosing(client.watch(started.run_id)) as updates:
            async for update in updates:
                screen.show(update)
                _count(told, update)
                for question in scenario.questions(update):
                    if question not in answered:
                        answered.add(question)
                        told.waited_s += await _decide(scenario, stage, screen, question)
                        told.decisions += 1
    told.run_s = time.monotonic() - began
    return await scenario.finish(stage, started.run_id) if told.status == "completed" else None


async def _decide(scenario: Scenario, stage: Stage, screen: Screen, question: Question) -> float:
    """Answer one approval; the seconds that it took."""
    began, session = time.monotonic(), stage.session
    with screen.aside():
        approval = await _asked(session.client, question)
        if stage.environ.get("DEMO_YES") == "1" or not session.can_ask:
            answer = scenario.answer(approval)
            await session.client.decide(
                question.run_id,
                question.approval_id,
                answer,
                digest=approval.digest,
                note="Decided by the demo",
            )
            session.tell(f"  {approval.title} The demo answers: {said(answer)}")
        else:
            session.tell("\nWhat it is about is in the console too, at the address above.")
            await decide_by_asking(session, question.run_id, approval)
    return time.monotonic() - began


async def _asked(client: AsyncSignalbox, question: Question) -> Approval:
    """The approval; a child's may be told of a moment before it can be read."""
    for _ in range(_TRIES):
        try:
            return await client.approval(question.run_id, question.approval_id)
        except NotFound:
            await asyncio.sleep(_PAUSE_S)
    return await client.approval(question.run_id, question.approval_id)


def said(answer: Mapping[str, object]) -> str:
    """`v1 approve, v2 reject` of a list of decisions, `kind letter` of single fields."""
    words = []
    for name, value in answer.items():
        items = value if isinstance(value, list) else [{name: name, "value": value}]
        words += [
            " ".join(str(part) for part in list(item.values())[:2])
            for item in items
            if isinstance(item, dict)
        ]
    return ", ".join(words)


def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _fresh(folder: Path) -> Path:
    """The folder of an earlier demo, checked not to be in use."""
    if folder.is_dir() and StateFolder(folder.resolve()).holder() is not None:
        raise InvalidInput(f"a demo is already running in {folder}; let it end first", field="PIPELINE")
    return folder


def _count(told: Told, update: Update) -> None:
    told.status = update.snapshot.status
    if update.snapshot.error:
        told.error = update.snapshot.error.message
    if update.event is not None:
        told.milestones += update.event.sequence is not None
        told.progress += update.event.sequence is None


def _tell_addresses(console: Console, endpoints: Endpoints) -> None:
    console.print("\nWatch it in the browser too, while it runs:", highlight=False)
    console.print(
        f"  console      {endpoints.gateway}   key {endpoints.api_keys['admin']}",
        highlight=False,
        soft_wrap=True,
    )
    console.print(f"  Temporal UI  {endpoints.temporal_ui}\n", highlight=False, soft_wrap=True)


def _tell_end(console: Console, told: Told, ending: Ending, endpoints: Endpoints) -> None:
    def tell(line: str, style: str | None = None) -> None:
        console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)

    for line in ("", *ending.lines):
        tell(line)
    tell(f"\n{ending.title}:", "bold")
    for path in ending.paths[:_MOST_NAMED]:
        tell(f"  {path}")
    if len(ending.paths) > _MOST_NAMED:
        tell(f"  and {len(ending.paths) - _MOST_NAMED} more in {_FOLDER / 'files'}")
    tell("\nWhat happened", "bold")
    tell(f"  the stack was ready after {told.stack_s:.1f} s, the run took {told.run_s:.1f} s")
    decided = f"; approvals decided: {told.decisions}, in {told.waited_s:.1f} s" if told.decisions else ""
    tell(
        f"  {told.milestones} events in order and {told.progress} progress messages came over one stream{decided}"
    )
    tell(f"  the console was at {endpoints.gateway} (make dev keeps it up)\n")


def _worker_lines(folder: StateFolder) -> str:
    return "".join(f"\n    {line[:400]}" for line in last_lines(folder.log("worker"), 8))
