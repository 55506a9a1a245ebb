"""The inbox as the gateway returns it: pending approvals, or the latest decided ones."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from signalbox_core.events.states import ClaimState


class InboxEntry(Struct, frozen=True, kw_only=True):
    """An approval in a list.

    Attributes:
        subject: what the run is about, if its pipeline's contract has a subject.
        round: 2 for a question that is asked a second time, and so on.
        picture: the path of a picture of what the question is about.
        claim: who has claimed it. Not in effect after its `until`.
        handed_to: the group or subject to which it was handed over.
        people: if any, the only subjects whose answers count.
        outcome: `modified` if the answer edits what was proposed.
    """

    run_id: str
    approval_id: str
    title: str
    pipeline: str
    requested_at: datetime
    deadline_at: datetime | None = None
    subject: str | None = None
    status: Literal["pending", "decided", "vetoed"] = "pending"
    round: int = 1
    picture: str | None = None
    claim: ClaimState | None = None
    handed_to: str | None = None
    people: tuple[str, ...] = ()
    decided_by: str | None = None
    decided_at: datetime | None = None
    outcome: str | None = None


class Inbox(Struct, frozen=True, kw_only=True):
    """`next_cursor` is None on the last page; `total` counts the pending approvals of all pages."""

    approvals: tuple[InboxEntry, ...]
    next_cursor: str | None = None
    total: int = 0
