"""The interface of one pipeline's demo. `runner.py` does everything that all demos have in common."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from signalbox_client.commands.command_context import CommandContext
from signalbox_client.models import Approval
from signalbox_client.stream_follower import Update
from signalbox_devstack.stack.endpoints import Endpoints


class DemoSetup(Struct, frozen=True, kw_only=True):
    """What a demo needs from the stack.

    Attributes:
        also: optional parts to start.
        environ: worker settings, added to the caller's environment.
    """

    also: tuple[str, ...] = ()
    environ: Mapping[str, str] = {}


class DemoContext(Struct, frozen=True, kw_only=True):
    """The running stack. `folder` receives the demo's files and is empty when the run starts."""

    session: CommandContext
    endpoints: Endpoints
    folder: Path
    environ: Mapping[str, str]


class PendingApproval(Struct, frozen=True, kw_only=True):
    """An approval of the run, or of one of its child runs, that waits for a decision."""

    run_id: str
    approval_id: str


class DemoResult(Struct, frozen=True, kw_only=True):
    """What the demo prints at the end: `lines`, then the title and the saved files.

    A demo without files has failed.
    """

    title: str
    paths: tuple[Path, ...]
    lines: tuple[str, ...] = ()


class DemoScenario(Protocol):
    """The demo of one pipeline."""

    @property
    def pipeline(self) -> str: ...

    def setup(self, environ: Mapping[str, str]) -> DemoSetup: ...

    async def prepare(self, context: DemoContext) -> Mapping[str, object]:
        """Prepare what the run needs, such as uploads, and return its input."""
        ...

    def pending_approvals(self, update: Update) -> Sequence[PendingApproval]:
        """The approvals that wait for a decision after this update. Each is answered once."""
        ...

    def answer(self, approval: Approval) -> Mapping[str, object]:
        """The answer of an unattended demo.

        Raises:
            Unavailable: this approval has no predefined answer.
        """
        ...

    async def finish(self, context: DemoContext, run_id: str) -> DemoResult:
        """Save the files of the completed run."""
        ...


def approvals_of_run(update: Update) -> Sequence[PendingApproval]:
    """The pending approvals of the run itself, without those of child runs."""
    run_id = update.snapshot.run_id
    return [
        PendingApproval(run_id=run_id, approval_id=state.approval_id)
        for state in update.snapshot.approvals
        if state.status == "pending"
    ]
