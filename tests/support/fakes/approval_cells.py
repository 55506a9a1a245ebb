"""The events that each cell of the table of an approval's life cycle records, and what a snapshot then
shows."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import msgspec
from msgspec import Struct

from signalbox_core.events import CloudEvent
from signalbox_core.events.approval_data import (
    ApprovalClaimed,
    ApprovalDecided,
    ApprovalExpired,
    ApprovalRequested,
    ApprovalVetoed,
    ApprovalVoted,
    ApprovalWithdrawn,
)
from signalbox_core.events.catalogue import (
    Failure,
    RunCancelled,
    RunClosed,
    RunCompleted,
    RunFailed,
)
from signalbox_core.pipeline.workflow.approval_lifecycle import (
    TABLE,
    ApprovalEffect,
    ApprovalInput,
    ApprovalPhase,
)
from signalbox_core.subjects import Subject
from support.fakes.events import START, make_event

_P, _E = ApprovalPhase, ApprovalEffect
LAN: Final = Subject(subject="key:lan", name="Lan")
Recorded = tuple[str, Struct]

SHOWN: Final[Mapping[ApprovalPhase, str | None]] = {
    _P.UNASKED: None,
    _P.EARLY: None,
    _P.ASKING: "pending",
    _P.PENDING: "pending",
    _P.CARRIED: "pending",
    _P.DECIDED: "decided",
    _P.VETOED: "vetoed",
    _P.EXPIRED: "expired",
    _P.DEFAULTED: "expired",
    _P.WITHDRAWN: "withdrawn",
    _P.CANCELLED: "cancelled",
}
"""The status of the approval in a snapshot; None: it has no such approval."""

REQUESTED: Final[Recorded] = (
    "approval.requested",
    ApprovalRequested(
        approval_id="word",
        name="word",
        title="Word",
        answer_schema=msgspec.Raw(b"{}"),
        options=msgspec.Raw(b"null"),
        evidence=msgspec.Raw(b"null"),
        digest="x",
    ),
)
DECIDED: Final[Recorded] = (
    "approval.decided",
    ApprovalDecided(
        approval_id="word", decision_id="d1", decided_by="Lan", answer=msgspec.Raw(b'{"word":"yes"}')
    ),
)
VETOED: Final[Recorded] = (
    "approval.vetoed",
    ApprovalVetoed(approval_id="word", decision_id="d2", voted_by=LAN, reason="misleading"),
)
VOTED: Final[Recorded] = (
    "approval.voted",
    ApprovalVoted(approval_id="word", decision_id="d3", voted_by=LAN, answer=msgspec.Raw(b'{"word":"yes"}')),
)
CLAIMED: Final[Recorded] = (
    "approval.claimed",
    ApprovalClaimed(approval_id="word", claimed_by=LAN, until=START + timedelta(hours=1)),
)
EXPIRED: Final[Recorded] = ("approval.expired", ApprovalExpired(approval_id="word"))
WITHDRAWN: Final[Recorded] = ("approval.withdrawn", ApprovalWithdrawn(approval_id="word"))
FAILED: Final[Recorded] = ("run.failed", RunFailed(error=Failure(code="approval_expired", message="m")))
COMPLETED: Final[Recorded] = ("run.completed", RunCompleted(result=msgspec.Raw(b"null")))
ENDS: Final[tuple[Recorded, ...]] = (
    COMPLETED,
    FAILED,
    ("run.cancelled", RunCancelled()),
    ("run.terminated", RunClosed()),
    ("run.timed_out", RunClosed()),
)
"""Every way in which a run ends, and its open questions with it."""

_BEFORE: Final[Mapping[ApprovalPhase, tuple[Recorded, ...]]] = {
    _P.UNASKED: (),
    _P.EARLY: (),
    _P.ASKING: (REQUESTED,),
    _P.PENDING: (REQUESTED,),
    _P.CARRIED: (REQUESTED,),
    _P.DECIDED: (REQUESTED, DECIDED),
    _P.VETOED: (REQUESTED, VETOED),
    _P.EXPIRED: (REQUESTED, EXPIRED),
    _P.DEFAULTED: (REQUESTED, EXPIRED),
    _P.WITHDRAWN: (REQUESTED, WITHDRAWN),
    _P.CANCELLED: (REQUESTED, ENDS[2]),
}
_RECORDED: Final[Mapping[ApprovalEffect, tuple[Recorded, ...]]] = {
    _E.REQUEST: (REQUESTED,),
    _E.REQUEST_AND_VALIDATE: (REQUESTED,),
    _E.RECORD: (DECIDED,),
    _E.COUNT: (VOTED,),
    _E.VETO: (VETOED,),
    _E.ASSIGN: (CLAIMED,),
    _E.EXPIRE: (EXPIRED, FAILED),
    _E.TAKE_DEFAULT: (EXPIRED, COMPLETED),
    _E.WITHDRAW: (WITHDRAWN, COMPLETED),
}
"""The events of each effect; the others change no snapshot."""


class Cell(Struct, frozen=True, kw_only=True):
    """One cell, or one way in which the run ends in it.

    Attributes:
        shown: the status that a snapshot has after the events.
    """

    name: str
    events: tuple[CloudEvent, ...]
    shown: str | None


def cells() -> list[Cell]:
    """Every cell that can happen; where the run ends, once for each way in which it does."""
    found = []
    for (phase, given), cell in TABLE.items():
        if cell.effect is _E.IMPOSSIBLE:
            continue
        name = f"{phase.value}, {given.value}"
        if given is ApprovalInput.CANCEL and phase is not _P.CANCELLED:
            found += [_cell(f"{name}: {end[0]}", (*_BEFORE[phase], end), SHOWN[cell.phase]) for end in ENDS]
        else:
            story = (*_BEFORE[phase], *_RECORDED.get(cell.effect, ()))
            found.append(_cell(name, story, SHOWN[cell.phase]))
    return found


def _cell(name: str, story: tuple[Recorded, ...], shown: str | None) -> Cell:
    events = (make_event(kind, data, sequence=place) for place, (kind, data) in enumerate(story, 1))
    return Cell(name=name, events=tuple(events), shown=shown)
