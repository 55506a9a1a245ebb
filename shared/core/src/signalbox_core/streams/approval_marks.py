"""What a run's meta hash holds about its approvals, so that a list of them needs no snapshot. Pure.

The marks are set together with the events, so they are as current as the stream.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from signalbox_core.events import CloudEvent
from signalbox_core.events.approval_data import (
    ApprovalClaimed,
    ApprovalHandedOver,
    ApprovalReleased,
    ApprovalRequested,
    ApprovalVoted,
)
from signalbox_core.events.catalogue import ArtifactCreated
from signalbox_core.events.policy import Policy
from signalbox_core.events.states import ApprovalState, ClaimState, Snapshot
from signalbox_core.ids import run_id_of
from signalbox_core.streams.run_stream import DecidedItem, InboxItem
from signalbox_core.subjects import Subject

CLOSED_APPROVAL: Final = "closed"
_RUN_MARKS: Final = ("epoch", "terminal", "pipeline", "subject", "starter", "page")
"""Of the run as a whole; `page` is the picture of its first page."""
_OF_PENDING: Final = ("approval", "asked", "claim", "handed", "policy")
_OF_DECIDED: Final = ("approval", "asked", "title")
_FIRST_PAGE: Final = re.compile(r"page-0*1\.(?:jpg|png|webp)")
_SIZE: Final = re.compile(r"([1-9]\d{0,4})x([1-9]\d{0,4})")

Marks = Mapping[str, bytes | None]


class _ClaimMark(Struct, frozen=True, kw_only=True):
    """`sequence`: of the event; a later vote of the subject ends the claim."""

    claim: ClaimState
    sequence: int


class _OptionPicture(Struct, frozen=True):
    artifact: str
    size: str = ""


class _PicturedOption(Struct, frozen=True):
    pictures: tuple[_OptionPicture, ...] = ()


def mark_names(approval_id: str, voter: str | None) -> tuple[str, ...]:
    """The names of the marks that describe an approval, including that of the voter's vote, if given."""
    own = tuple(f"{name}:{approval_id}" for name in _OF_PENDING)
    return (*_RUN_MARKS, *own, *((vote_mark(approval_id, voter),) if voter is not None else ()))


def decided_mark_names(approval_id: str) -> tuple[str, ...]:
    """The names of the marks that describe a decided approval."""
    return ("epoch", "pipeline", "subject", *(f"{name}:{approval_id}" for name in _OF_DECIDED))


def vote_mark(approval_id: str, subject: str) -> str:
    """The name of the mark with the sequence of a subject's latest vote."""
    return f"vote:{approval_id}/{subject}"


def starter_mark(starter: Subject | None) -> tuple[str, str]:
    """Name and value of the mark with the subject that started the run; empty if the run has none recorded.

    A stream to which an earlier release wrote the start has no such mark.
    """
    return ("starter", starter.subject if starter is not None else "")


def event_marks(event: CloudEvent) -> tuple[str, ...]:
    """Return names and values of the marks that an event sets, except those of outcomes."""
    marks_of = _MARKS_OF.get(event.name)
    return marks_of(event) if marks_of is not None else ()


def snapshot_approval_marks(snapshot: Snapshot) -> tuple[str, ...]:
    """Return names and values of the marks of a snapshot's approvals and pages."""
    pages = [mark for artifact in snapshot.artifacts for mark in _page_mark(artifact.name)]
    starter = starter_mark(snapshot.starter)
    approvals = [mark for state in snapshot.approvals for mark in _state_marks(state, snapshot.sequence)]
    return (*starter, *pages, *approvals)


def _state_marks(state: ApprovalState, sequence: int) -> tuple[str, ...]:
    approval_id = state.approval_id
    marks = [f"approval:{approval_id}", "open" if state.status == "pending" else CLOSED_APPROVAL]
    # Sequence 0: all votes of the snapshot are on this question.
    marks += [f"title:{approval_id}", state.title, f"asked:{approval_id}", _asked(state.requested_at, 0)]
    if state.handed_to is not None:
        marks += [f"handed:{approval_id}", state.handed_to]
    if state.asked_policy is not None and state.policy is not None:
        marks += [f"policy:{approval_id}", _encoded(state.policy)]
    if state.claim is not None:
        marks += _claim_mark(approval_id, state.claim, sequence)
    for vote in state.votes:
        # A claim in the snapshot has not been ended by a vote.
        marks += [vote_mark(approval_id, vote.voted_by.subject), "0"]
    return tuple(marks)


def is_open(item: InboxItem, marks: Marks) -> bool:
    """Whether the approval of an entry is pending."""
    closed = marks[f"approval:{item.approval_id}"] == CLOSED_APPROVAL.encode()
    return marks["epoch"] is not None and marks["terminal"] is None and not closed


def claimer_of(item: InboxItem, marks: Marks) -> str | None:
    """The subject that has claimed the approval, whether the claim is still in effect or not."""
    found = marks[f"claim:{item.approval_id}"]
    return msgspec.json.decode(found, type=_ClaimMark).claim.by.subject if found else None


def described(
    item: InboxItem, marks: Marks, *, voter: str | None = None, claimer_vote: bytes | None = None
) -> InboxItem:
    """The entry completed from the marks of its run; a stream of an earlier release lacks some of them.

    Args:
        claimer_vote: the mark of the latest vote of `claimer_of`.
    """
    claimed = marks[f"claim:{item.approval_id}"]
    claim = msgspec.json.decode(claimed, type=_ClaimMark) if claimed else None
    if claim is not None and int(claimer_vote or 0) > claim.sequence:
        claim = None
    policy, starter = marks[f"policy:{item.approval_id}"], marks["starter"]
    return replace(
        item,
        pipeline=_text(marks["pipeline"]) or item.pipeline,
        subject=_text(marks["subject"]) or item.subject,
        picture=item.picture or _text(marks["page"]),
        starter=starter.decode() if starter is not None else None,
        claim=claim.claim if claim is not None else None,
        handed_to=_text(marks[f"handed:{item.approval_id}"]),
        policy=msgspec.json.decode(policy, type=Policy) if policy else item.policy,
        has_voted=voter is not None and _has_voted(item.approval_id, marks, voter),
    )


def _has_voted(approval_id: str, marks: Marks, voter: str) -> bool:
    """Whether the voter has voted since the question was last asked: its id may have been used before."""
    vote, (asked, _) = marks[vote_mark(approval_id, voter)], _asked_at(approval_id, marks)
    return vote is not None and int(vote) >= asked


def listed_decisions(found: Sequence[tuple[DecidedItem, Marks]]) -> tuple[DecidedItem, ...]:
    """The entries to list, of those found, the newest first: each approval once, while it is closed.

    An approval is open again after a question was asked under the same id; the stream may belong to another
    workflow that reuses the run id.
    """
    listed: dict[tuple[str, str], DecidedItem] = {}
    for item, marks in found:
        if marks["epoch"] is not None and marks[f"approval:{item.approval_id}"] == CLOSED_APPROVAL.encode():
            listed.setdefault((item.run_id, item.approval_id), _described_decision(item, marks))
    return tuple(listed.values())


def _described_decision(item: DecidedItem, marks: Marks) -> DecidedItem:
    """The entry completed from the marks of its run; a stream of an earlier release lacks some of them."""
    _, asked_at = _asked_at(item.approval_id, marks)
    return replace(
        item,
        run_id=run_id_of(item.run_id),
        title=_text(marks[f"title:{item.approval_id}"]) or item.approval_id,
        pipeline=_text(marks["pipeline"]) or "",
        subject=_text(marks["subject"]),
        requested_at=asked_at or item.decided_at,
    )


def picture_of(options: msgspec.Raw) -> str | None:
    """The artifact of the first option that has pictures: the one whose shape is closest to a square."""
    try:
        found = msgspec.json.decode(options, type=tuple[_PicturedOption, ...])
    except msgspec.DecodeError:
        return None
    pictures = next((option.pictures for option in found if option.pictures), ())
    return min(pictures, key=_distance_to_square).artifact if pictures else None


def _distance_to_square(picture: _OptionPicture) -> float:
    match = _SIZE.fullmatch(picture.size)
    if match is None:
        return float("inf")
    width, height = int(match[1]), int(match[2])
    return max(width, height) / min(width, height)


def _claim_mark(approval_id: str, claim: ClaimState, sequence: int) -> tuple[str, ...]:
    return (f"claim:{approval_id}", _encoded(_ClaimMark(claim=claim, sequence=sequence)))


def _page_mark(artifact: str) -> tuple[str, ...]:
    return ("page", artifact) if _FIRST_PAGE.fullmatch(artifact) else ()


def _requested(event: CloudEvent) -> tuple[str, ...]:
    data = msgspec.json.decode(event.data, type=ApprovalRequested)
    own, asked = data.approval_id, _asked(event.time, event.sequence or 0)
    marks = (f"approval:{own}", "open", f"title:{own}", data.title, f"asked:{own}", asked)
    # The run may have used this id before: the marks of that question do not apply to this one.
    return (*marks, f"claim:{own}", "", f"handed:{own}", "", f"policy:{own}", "")


def _asked(at: datetime, sequence: int) -> str:
    return f"{at.isoformat()} {sequence}"


def _asked_at(approval_id: str, marks: Marks) -> tuple[int, datetime | None]:
    """Sequence and time of the question; (0, None) in a stream of an earlier release."""
    asked = _text(marks[f"asked:{approval_id}"])
    if asked is None:
        return 0, None
    at, _, sequence = asked.partition(" ")
    return int(sequence or 0), datetime.fromisoformat(at)


def _claimed(event: CloudEvent) -> tuple[str, ...]:
    data = msgspec.json.decode(event.data, type=ApprovalClaimed)
    claim = ClaimState(by=data.claimed_by, until=data.until)
    return _claim_mark(data.approval_id, claim, event.sequence or 0)


def _released(event: CloudEvent) -> tuple[str, ...]:
    data = msgspec.json.decode(event.data, type=ApprovalReleased)
    return (f"claim:{data.approval_id}", "")


def _handed_over(event: CloudEvent) -> tuple[str, ...]:
    data = msgspec.json.decode(event.data, type=ApprovalHandedOver)
    marks = [f"handed:{data.approval_id}", data.to]
    if data.policy:
        marks += [f"policy:{data.approval_id}", _encoded(data.policy)]
    if data.delegated_by:
        marks += [f"claim:{data.approval_id}", ""]
    return tuple(marks)


def _voted(event: CloudEvent) -> tuple[str, ...]:
    data = msgspec.json.decode(event.data, type=ApprovalVoted)
    return (vote_mark(data.approval_id, data.voted_by.subject), str(event.sequence or 0))


def _artifact_created(event: CloudEvent) -> tuple[str, ...]:
    return _page_mark(msgspec.json.decode(event.data, type=ArtifactCreated).name)


_MARKS_OF: Final[Mapping[str, Callable[[CloudEvent], tuple[str, ...]]]] = {
    "approval.requested": _requested,
    "approval.claimed": _claimed,
    "approval.released": _released,
    "approval.delegated": _handed_over,
    "approval.escalated": _handed_over,
    "approval.voted": _voted,
    "artifact.created": _artifact_created,
}


def _encoded(value: Struct) -> str:
    return msgspec.json.encode(value).decode()


def _text(value: bytes | None) -> str | None:
    return value.decode() if value else None
