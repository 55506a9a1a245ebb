"""What a run's stream is: its values and the `RunStream` protocol. Where it is kept is another module's business."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol

from msgspec import Struct

from signalbox_core.errors import InvalidInput
from signalbox_core.events import CloudEvent, Snapshot

RUN_APPEARED: Final = "run.appeared"
"""News of a tenant: a run has a stream now; the data is `{"runid"}`."""
INBOX_CHANGED: Final = "inbox.changed"
"""News of a tenant: an approval was asked or closed."""
_CURSOR: Final = re.compile(r"([0-9a-z]{1,16}):(0|[1-9][0-9]{0,14})")


class Outcome(StrEnum):
    """What an append did with one event."""

    APPENDED = "appended"
    DROPPED = "dropped"
    """Already there, or later than the run's terminal event."""
    PARKED = "parked"
    """Kept aside until the events before it arrive."""


class Cursor(Struct, frozen=True):
    """A place in a run's stream. The epoch changes when the stream was rebuilt; sequences of two epochs do not compare."""

    epoch: str
    sequence: int

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Read `<epoch>:<sequence>`.

        Raises:
            InvalidInput: it has another form.
        """
        match = _CURSOR.fullmatch(text)
        if match is None:
            raise InvalidInput(
                "a cursor has the form <epoch>:<sequence>, as in the id of a frame", field="last_event_id"
            )
        return cls(match[1], int(match[2]))

    def __str__(self) -> str:
        return f"{self.epoch}:{self.sequence}"


class Frame(Struct, frozen=True, kw_only=True):
    """One event as listeners get it; `sequence` is None for what is shown live and not kept.

    `epoch` is empty when the run has no stream yet.
    """

    epoch: str
    sequence: int | None
    name: str
    data: bytes
    terminal: bool


class History(Struct, frozen=True, kw_only=True):
    """The frames after a cursor, at most a page of them.

    Attributes:
        epoch: the stream's; empty when the run has none.
        top: the newest sequence in the stream.
        ended: the terminal event is in.
        lost: what follows the cursor cannot be given without a gap (trimmed, other epoch, no such place).
    """

    epoch: str
    top: int
    ended: bool
    frames: tuple[Frame, ...]
    lost: bool


class Projected(Struct, frozen=True, kw_only=True):
    """A run's snapshot as its stream has it; `snapshot.sequence` is the place to listen from."""

    snapshot: Snapshot
    epoch: str


class InboxItem(Struct, frozen=True, kw_only=True):
    """An approval that waits for a person."""

    run_id: str
    approval_id: str
    title: str
    pipeline: str
    requested_at: datetime
    deadline_at: datetime | None = None


class Gap(Struct, frozen=True, kw_only=True):
    """Events of a run wait since `since` for the one after `top`, which has not come."""

    run_id: str
    epoch: str
    top: int
    since: datetime


class RunStream(Protocol):
    """The log, the snapshot and the inbox entries of runs. Every method raises Unavailable when the store is away."""

    async def append(self, event: CloudEvent) -> Outcome:
        """Put a milestone at its place; idempotent by (run, sequence).

        Raises:
            InvalidInput: no sequence, or the data is not what its type says.
            Conflict: the run belongs to another tenant.
        """
        ...

    async def append_many(self, events: Sequence[CloudEvent]) -> list[Outcome]:
        """`append` for each; those of one run in one round trip. Nothing is appended when one is invalid."""
        ...

    async def progress(self, event: CloudEvent) -> None:
        """Show a progress event to listeners and keep it as the newest of its step; dropped when the step has ended."""
        ...

    async def announce(self, event: CloudEvent) -> None:
        """Show an event to listeners without keeping it."""
        ...

    async def read(self, run_id: str, after: Cursor | None, limit: int = 500) -> History:
        """Up to `limit` frames after the cursor; None means from the beginning."""
        ...

    async def snapshot(self, run_id: str) -> Projected | None:
        """The run as folded from its stream; None when there is none."""
        ...

    async def tenant(self, run_id: str) -> str | None:
        """Whose run it is; None when it has no stream."""
        ...

    async def inbox(self, tenant: str) -> list[InboxItem]:
        """The tenant's open approvals, oldest first."""
        ...

    async def open_runs(self, tenant: str, limit: int) -> list[str]:
        """The tenant's runs that have a stream without an end, those seen last first."""
        ...

    async def gaps(self, *, older_than: timedelta) -> list[Gap]:
        """Runs whose stream stands still because an event is missing for that long."""
        ...

    async def rebuild(self, snapshot: Snapshot, *, replaces: str | None = None) -> str | None:
        """Start the run's stream anew from a snapshot of its workflow; listeners are told to forget what they have.

        Args:
            replaces: do it only while this is the stream's epoch (empty: while there is none), so that two repairers do it once.

        Returns:
            The new epoch, or None when the stream was another one already.
        """
        ...

    async def discard(self, run_id: str) -> None:
        """Let a stream go that belongs to no run (nobody can fill its gap)."""
        ...
