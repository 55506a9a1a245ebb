"""`make demo`: the embedded stack, one run of a pipeline watched live, a person's decision, finished files, the end."""

import asyncio
import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct
from rich.console import Console

from signalbox_client.asking import choose_first, variants_of
from signalbox_client.asynchronous import AsyncSignalbox
from signalbox_client.cli_decide import decide_by_asking
from signalbox_client.cli_runs import save_artifacts
from signalbox_client.following import Update
from signalbox_client.models import Approval, Artifact
from signalbox_client.screen import Screen, screen_for
from signalbox_client.session import Session
from signalbox_core.errors import InvalidInput, Rejected, SignalboxError, Unavailable
from signalbox_devstack.stack.child import last_lines
from signalbox_devstack.stack.endpoints import Endpoints
from signalbox_devstack.stack.folder import StateFolder
from signalbox_devstack.stack.site import Wish, settle_site
from signalbox_devstack.stack.supervisor import running_stack

_FOLDER: Final = Path(".state/demo")
_APPROVED: Final = 2
_REASON: Final = "Two are enough; make this one about the shipping."


class Scenario(Struct, frozen=True, kw_only=True):
    """What the demo of one pipeline gives it, and which files a person wants to see in the end."""

    pipeline: str
    page: str
    media_type: str


SCENARIOS: Final[Mapping[str, Scenario]] = {
    "ad_creative": Scenario(pipeline="ad_creative", page="/en/coffee", media_type="image/png"),
}


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


class _Picture(Struct, frozen=True):
    artifact: str


class _Ad(Struct, frozen=True):
    pictures: tuple[_Picture, ...] = ()


class _Result(Struct, frozen=True):
    approved: tuple[_Ad, ...] = ()


def main(argv: Sequence[str] | None = None) -> int:
    """0 when the run completed and its files are there; 2 for a wrong argument, 1 for any other failure."""
    names = list(sys.argv[1:] if argv is None else argv) or ["ad_creative"]
    console = Console()
    try:
        if names[0] not in SCENARIOS or len(names) > 1:
            raise InvalidInput(f"no demo of {' '.join(names)!r}; there are demos of: {', '.join(SCENARIOS)}", field="PIPELINE")
        return asyncio.run(demo(SCENARIOS[names[0]], console, dict(os.environ)))
    except SignalboxError as error:
        print(f"demo: {error.detail}", file=sys.stderr)
        return 2 if isinstance(error, Rejected) else 1
    except KeyboardInterrupt:
        print("demo: stopped", file=sys.stderr)
        return 130


async def demo(scenario: Scenario, console: Console, environ: Mapping[str, str]) -> int:
    began, told = time.monotonic(), Told()
    shutil.rmtree(_fresh(_FOLDER / "stack"), ignore_errors=True)
    site, parts = settle_site(Wish(state_dir=_FOLDER / "stack", ports="auto"), environ)
    console.print(f"Starting {len(parts)} parts: {', '.join(part.name for part in parts)}", highlight=False, soft_wrap=True)
    async with running_stack(
        site, parts, report=lambda line: console.print(f"  {line}", style="dim", markup=False, highlight=False)
    ) as stack:
        told.stack_s = time.monotonic() - began
        endpoints = stack.endpoints()
        _tell_addresses(console, endpoints)
        async with AsyncSignalbox(str(endpoints.gateway), endpoints.api_keys["admin"]) as client:
            session = Session(client=client, console=console, as_json=False)
            paths = await _play(session, scenario, endpoints, told, is_silent=environ.get("DEMO_YES") == "1")
        if told.status != "completed" or not paths:
            raise Unavailable(f"the run ended as {told.status}: {told.error or 'no files'}{_worker_lines(site.folder)}")
        _tell_end(console, told, paths, endpoints)
    console.print(f"Everything has ended. The files stay in {paths[0].parent}.", highlight=False)
    return 0


async def _play(session: Session, scenario: Scenario, endpoints: Endpoints, told: Told, *, is_silent: bool) -> list[Path]:
    """Start, watch, decide, save."""
    began = time.monotonic()
    started = await session.client.start(scenario.pipeline, {"url": f"{endpoints.demo_site}{scenario.page}"})
    answered: set[str] = set()
    with screen_for(session.console, as_json=False) as screen:
        async with aclosing(session.client.watch(started.run_id)) as updates:
            async for update in updates:
                screen.show(update)
                _count(told, update)
                for state in update.snapshot.approvals:
                    if state.status == "pending" and state.approval_id not in answered:
                        answered.add(state.approval_id)
                        told.waited_s += await _decide(session, screen, started.run_id, state.approval_id, is_silent=is_silent)
                        told.decisions += 1
    told.run_s = time.monotonic() - began
    return await _save(session, scenario, started.run_id) if told.status == "completed" else []


async def _decide(session: Session, screen: Screen, run_id: str, approval_id: str, *, is_silent: bool) -> float:
    """Answer one approval; the seconds that it took."""
    began = time.monotonic()
    with screen.aside():
        approval = await session.client.approval(run_id, approval_id)
        if is_silent or not session.can_ask:
            answer = standing_answer(approval)
            await session.client.decide(run_id, approval_id, answer, digest=approval.digest, note="Decided by the demo")
            session.tell(f"  {approval.title} The demo answers: {said(answer)}")
        else:
            session.tell("\nThe pictures are in the console, at the address above.")
            await decide_by_asking(session, run_id, approval)
    return time.monotonic() - began


def standing_answer(approval: Approval) -> Mapping[str, object]:
    """The first time: two variants approved, the others rejected with a reason; what comes back better is approved."""
    variants = variants_of(approval)
    if not variants:
        raise Unavailable(f"the demo has no standing answer to {approval.title!r}: run it on a terminal")
    is_first = approval.approval_id == approval.name
    return choose_first(variants, approve=_APPROVED if is_first else len(variants), reason=_REASON)


def said(answer: Mapping[str, object]) -> str:
    """`v1 approve, v2 approve, v3 reject`."""
    decisions = msgspec.convert(answer["decisions"], list[dict[str, str]])
    return ", ".join(f"{item['variant']} {item['action']}" for item in decisions)


async def _save(session: Session, scenario: Scenario, run_id: str) -> list[Path]:
    """The files of the approved variants, in one folder."""
    run = await session.client.run(run_id)
    result = msgspec.json.decode(await session.client.result(run_id), type=_Result)
    wanted = {picture.artifact for ad in result.approved for picture in ad.pictures}
    chosen = tuple(item for item in run.artifacts if _is_wanted(item, scenario, wanted))
    folder = _FOLDER / "pictures"
    shutil.rmtree(folder, ignore_errors=True)
    return [Path(item.path) for item in await save_artifacts(session, run, chosen, folder)]


def _is_wanted(item: Artifact, scenario: Scenario, wanted: set[str]) -> bool:
    return item.media_type == scenario.media_type and (not wanted or item.name in wanted)


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
    console.print(f"  console      {endpoints.gateway}   key {endpoints.api_keys['admin']}", highlight=False, soft_wrap=True)
    console.print(f"  Temporal UI  {endpoints.temporal_ui}\n", highlight=False, soft_wrap=True)


def _tell_end(console: Console, told: Told, paths: Sequence[Path], endpoints: Endpoints) -> None:
    console.print(f"\n{len(paths)} finished pictures:", style="bold", highlight=False)
    for path in paths:
        console.print(f"  {path}", highlight=False, soft_wrap=True)
    console.print("\nWhat happened", style="bold")
    console.print(f"  the stack was ready after {told.stack_s:.1f} s, the run took {told.run_s:.1f} s", highlight=False)
    console.print(
        f"  {told.milestones} events in order and {told.progress} progress messages came over one stream; "
        f"{told.decisions} approvals were decided in {told.waited_s:.1f} s",
        highlight=False,
        soft_wrap=True,
    )
    console.print(f"  the console was at {endpoints.gateway} (make dev keeps it up)\n", highlight=False)


def _worker_lines(folder: StateFolder) -> str:
    return "".join(f"\n    {line[:400]}" for line in last_lines(folder.log("worker"), 8))


if __name__ == "__main__":
    sys.exit(main())
