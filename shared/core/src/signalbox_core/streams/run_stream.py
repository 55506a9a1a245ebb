"""A run's stream: its values and the `RunStream` protocol, independent of where it is stored."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Literal, Protocol

from msgspec import Struct

from signalbox_core.errors import InvalidInput, SignalboxError
from signalbox_core.events import MAX_SAFE_INTEGER, CloudEvent, Snapshot
from signalbox_core.events.policy import Policy
from signalbox_core.events.states import ClaimState

RUN_APPEARED: Final = "run.appeared"
"""Sent on `tenant_channel` when a run gets a stream; the data is `{"runid"}`, the key of the stream."""
INBOX_CHANGED: Final = "inbox.changed"
"""Sent on `tenant_channel` when an approval was requested or closed."""
PRESENCE_CHANGED: Final = "presence.changed"
"""Sent on `tenant_channel` when the viewers of a question change; the data is the `presence` event."""
MAX_DECIDED: Final = 200
"""How many decided approvals a tenant's list has."""
_CURSOR: Final = re.compile(r"([0-9a-z]{1,16}):(0|[1-9][0-9]{0,15})")


class AppendOutcome(StrEnum):
    """The result of appending one event."""

    APPENDED = "appended"
    DROPPED = "dropped"
    """A duplicate, or an event after the run's terminal event."""
    PARKED = "parked"
    """Buffered until the events before it arrive."""


class Cursor(Struct, frozen=True):
    """A position in a run's stream.

    The epoch changes when the stream is rebuilt; sequence numbers of different epochs are not comparable.
    """

    epoch: str
    sequence: int

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Parse `<epoch>:<sequence>`.

        Raises:
            InvalidInput: the text has another form.
        """
        match = _CURSOR.fullmatch(text)
        if match is None or int(match[2]) > MAX_SAFE_INTEGER:
            raise InvalidInput(
                "a cursor has the form <epoch>:<sequence>, as in the id of a frame", field="last_event_id"
            )
        return cls(match[1], int(match[2]))

    def __str__(self) -> str:
        return f"{self.epoch}:{self.sequence}"


class Frame(Struct, frozen=True, kw_only=True):
    """One event as listeners get it.

    Attributes:
        epoch: empty when the run has no stream yet.
        sequence: None for events that are sent live and not stored.
    """

    epoch: str
    sequence: int | None
    name: str
    data: bytes
    terminal: bool


class History(Struct, frozen=True, kw_only=True):
    """The frames after a cursor, at most one page.

    Attributes:
        epoch: the stream's; empty when the run has none.
        top: the newest sequence number in the stream.
        ended: the stream has its terminal event.
        lost: the frames after the cursor are not available without a gap (trimmed, other epoch, unknown
            position).
    """

    epoch: str
    top: int
    ended: bool
    frames: tuple[Frame, ...]
    lost: bool


class ProjectedSnapshot(Struct, frozen=True, kw_only=True):
    """A run's snapshot built from its stream; listen from `snapshot.sequence` on."""

    snapshot: Snapshot
    epoch: str


class InboxItem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A pending approval.

    Attributes:
        subject: what its run is about; None when the contract of the pipeline has no subject.
        round: 2 for a question that is asked a second time after the first was closed.
        picture: the name of an artifact that shows what the question is about.
        policy: who may decide; None for the default, by which any one approver decides.
        starter: the subject that started the run; empty if the run does not record it, None if the stream
            does not, because an earlier release began it.
        claim: who has claimed it. It may have expired.
        has_voted: whether the voter for whom the inbox is read has voted.
    """

    run_id: str
    approval_id: str
    title: str
    pipeline: str
    requested_at: datetime
    deadline_at: datetime | None = None
    subject: str | None = None
    round: int = 1
    picture: str | None = None
    policy: Policy | None = None
    starter: str | None = None
    claim: ClaimState | None = None
    handed_to: str | None = None
    has_voted: bool = False


class DecidedItem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An approval that people have decided, or ended by a veto.

    Attributes:
        title, pipeline, subject, requested_at: empty or None until the entry is read.
        outcome: `modified` if the answer edits what was proposed.
    """

    run_id: str
    approval_id: str
    status: Literal["decided", "vetoed"]
    decided_by: str
    decided_at: datetime
    outcome: str | None = None
    title: str = ""
    pipeline: str = ""
    subject: str | None = None
    requested_at: datetime | None = None


class InboxPosition(Struct, frozen=True, kw_only=True):
    """A place in the order of the inbox: after this entry, whether it is still pending or not."""

    requested_us: int
    field: str


class InboxPage(Struct, frozen=True, kw_only=True):
    """A part of the inbox, oldest first.

    Attributes:
        next: where the next page begins; None on the last one.
        total: of all pages; it may count approvals that were closed a moment ago.
    """

    items: tuple[InboxItem, ...]
    next: InboxPosition | None
    total: int


class Gap(Struct, frozen=True, kw_only=True):
    """The stream `key` of a run has lacked the event after `top` since `since`; later ones are parked."""

    key: str
    run_id: str
    tenant: str
    epoch: str
    top: int
    since: datetime


class RunStream(Protocol):
    """The log, the snapshot and the inbox entries of runs.

    An event or a snapshot names its run by tenant and run id. Everything else takes the `key` of a stream,
    which `locate` returns. Two tenants may have a run of the same id; their streams have nothing in common.

    Raises:
        Unavailable: from every method, when the store is unavailable.
    """

    async def append(self, event: CloudEvent) -> AppendOutcome:
        """Append a milestone in sequence. Idempotent by run and sequence number.

        Raises:
            InvalidInput: no sequence number, or the data does not match its type.
        """
        ...

    async def append_many(self, events: Sequence[CloudEvent]) -> list[AppendOutcome]:
        """Append milestones of any number of runs in one round trip; none when one is invalid."""
        ...

    async def write_batch(self, events: Sequence[CloudEvent]) -> list[AppendOutcome | SignalboxError]:
        """Append milestones, and send other events, of any number of runs in one round trip.

        Each run's events are written in their order.

        Returns:
            Per event its outcome, or the error that `append`, `progress` or `announce` would raise.
        """
        ...

    async def append_missing(self, events: Sequence[CloudEvent]) -> list[AppendOutcome | SignalboxError]:
        """`write_batch` for events that most streams already have: those are only compared, not written.

        Events that the indexes depend on are always written, which repairs an index.
        """
        ...

    async def progress(self, event: CloudEvent) -> None:
        """Send a progress event and store it as the step's newest; no-op after the step's end."""
        ...

    async def announce(self, event: CloudEvent) -> None:
        """Send an event to listeners without storing it."""
        ...

    async def locate(self, tenant: str, run_id: str) -> str:
        """Return the key of the run's stream, whether or not it exists yet.

        It is the run key, or the run id alone for a stream that a release without run keys created.
        """
        ...

    async def read(self, key: str, after: Cursor | None, limit: int = 500) -> History:
        """Return up to `limit` frames after the cursor; None means from the beginning."""
        ...

    async def snapshot(self, key: str) -> ProjectedSnapshot | None:
        """Return the run's snapshot from its stream; None when there is no such stream."""
        ...

    async def inbox(
        self,
        tenant: str,
        *,
        after: InboxPosition | None = None,
        limit: int = 200,
        voter: str | None = None,
    ) -> InboxPage:
        """Return a page of the tenant's pending approvals, oldest first.

        Args:
            voter: the subject whose votes `has_voted` of the entries reports.
        """
        ...

    async def decided(self, tenant: str, limit: int) -> tuple[DecidedItem, ...]:
        """Return the latest decided approvals, at most `MAX_DECIDED`, newest first."""
        ...

    async def tenants_with_approvals(self) -> list[str]:
        """Return the tenants that have pending approvals, and some that only had them."""
        ...

    async def open_runs(self, tenant: str, limit: int) -> list[str]:
        """Return the keys of the tenant's streams that have not ended, the most recent first."""
        ...

    async def ended_runs(self, tenant: str, limit: int) -> dict[str, datetime]:
        """Return the keys of the runs that ended within the last hour and when, newest first."""
        ...

    async def gaps(self, *, older_than: timedelta) -> list[Gap]:
        """Return the runs whose stream has had a gap for at least that long."""
        ...

    async def rebuild(self, snapshot: Snapshot, *, replaces: str | None = None) -> str | None:
        """Replace the run's stream by a snapshot of its workflow; listeners get `stream.rebuilt`.

        Args:
            replaces: compare-and-set: rebuild only while this is the stream's epoch (empty: while there is no
                stream), so that of two concurrent repairs only one takes effect.

        Returns:
            The new epoch, or None when the stream had another one.
        """
        ...

    async def link_retry(self, key: str, retried_as: str) -> None:
        """Show in the run's snapshot which run repeats it. Has no effect without a stream."""
        ...

    async def discard(self, key: str) -> None:
        """Expire a stream that belongs to no run, so that its gap can never be filled."""
        ...
