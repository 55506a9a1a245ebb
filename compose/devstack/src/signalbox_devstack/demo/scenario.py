"""What one pipeline's demo says of itself; everything around it is the same for all (playing.py)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from signalbox_client.command_context import CommandContext
from signalbox_client.models import Approval
from signalbox_client.stream_follower import Update
from signalbox_devstack.stack.endpoints import Endpoints


class Setup(Struct, frozen=True, kw_only=True):
    """What the stack needs for this demo: optional parts by name, and settings of the worker beside the caller's environment."""

    also: tuple[str, ...] = ()
    environ: Mapping[str, str] = {}


class Stage(Struct, frozen=True, kw_only=True):
    """The stack that is up. `folder` is where the demo's files go; it is empty when the run starts."""

    session: CommandContext
    endpoints: Endpoints
    folder: Path
    environ: Mapping[str, str]


class Question(Struct, frozen=True, kw_only=True):
    """An approval that waits, of the run or of one of its children."""

    run_id: str
    approval_id: str


class Ending(Struct, frozen=True, kw_only=True):
    """What a person wants to see in the end: files, and lines to be printed above them. No file means the demo failed."""

    title: str
    paths: tuple[Path, ...]
    lines: tuple[str, ...] = ()


class Scenario(Protocol):
    """The demo of one pipeline."""

    @property
    def pipeline(self) -> str: ...

    def setup(self, environ: Mapping[str, str]) -> Setup: ...

    async def prepare(self, stage: Stage) -> Mapping[str, object]:
        """The run's input, after whatever must be in place for it (uploads, say)."""
        ...

    def questions(self, update: Update) -> Sequence[Question]:
        """What waits for a person after this update; each is answered once."""
        ...

    def answer(self, approval: Approval) -> Mapping[str, object]:
        """The demo's own answer where nobody sits at a terminal.

        Raises:
            Unavailable: it has none.
        """
        ...

    async def finish(self, stage: Stage, run_id: str) -> Ending:
        """Save the files of the completed run."""
        ...


def own_questions(update: Update) -> Sequence[Question]:
    """The pending approvals of the run itself."""
    run_id = update.snapshot.run_id
    return [
        Question(run_id=run_id, approval_id=state.approval_id)
        for state in update.snapshot.approvals
        if state.status == "pending"
    ]
