"""A run's snapshot: what a listener without a cursor gets first. A pure fold over the run's events.

The workflow's query and the stream's projection use the same fold, so both return the same snapshot.
"""

from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from signalbox_core.events.approval_folds import APPROVAL_FOLDS
from signalbox_core.events.envelope import CloudEvent
from signalbox_core.events.run_folds import RUN_FOLDS
from signalbox_core.events.states import (
    ENDED,
    ApprovalState,
    ApprovalStatus,
    ArtifactState,
    BlockedState,
    ChildState,
    ClaimState,
    EventWaitState,
    Fold,
    QueuedState,
    RefusedVoteState,
    RunStatus,
    Snapshot,
    StepState,
    StepStatus,
    VoteState,
)
from signalbox_core.events.step_folds import STEP_FOLDS
from signalbox_core.events.wait_folds import WAIT_FOLDS
from signalbox_core.subjects import Subject

__all__ = [
    "ENDED",
    "FOLDS",
    "ApprovalState",
    "ApprovalStatus",
    "ArtifactState",
    "BlockedState",
    "ChildState",
    "ClaimState",
    "EventWaitState",
    "QueuedState",
    "RefusedVoteState",
    "RunStatus",
    "Snapshot",
    "StepState",
    "StepStatus",
    "VoteState",
    "assemble",
    "fold",
    "snapshot_key",
]

FOLDS: Final[Mapping[str, Fold]] = {**RUN_FOLDS, **STEP_FOLDS, **APPROVAL_FOLDS, **WAIT_FOLDS}
"""By the event's short name; other types change nothing."""


def snapshot_key(event: CloudEvent) -> str:
    """Return the key under which the newest event of its kind is stored.

    The newest event of every key is enough to assemble the snapshot. Progress has one key per step; a
    milestone one per name and subject (step, approval, artifact, child or wait). Several events of an
    approval count together, so each has a key: the latest vote of a voter, every refused vote, the latest
    delegation by the ladder, which changes the policy, and the latest by a person, which does not.
    """
    subject = msgspec.json.decode(event.data, type=_EventSubject)
    specific = subject.child_run_id or subject.approval_id or subject.wait_id
    named = specific or subject.name or subject.step or ""
    match event.name:
        case "approval.voted" if subject.voted_by is not None:
            named = f"{named}/{subject.voted_by.subject}"
        case "approval.vote_refused":
            named = f"{named}/{event.sequence}"
        case "approval.delegated" if subject.delegated_by is not None:
            named = f"{named}/by a person"
    return f"{event.name}/{named}"


class _EventSubject(Struct, frozen=True):
    child_run_id: str | None = None
    step: str | None = None
    approval_id: str | None = None
    wait_id: str | None = None
    name: str | None = None
    voted_by: Subject | None = None
    delegated_by: Subject | None = None


def fold(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    """Return the snapshot after `event`.

    Milestones must come in order. One that the snapshot includes already is ignored, as is an unknown type.
    """
    if event.sequence is not None:
        if event.sequence <= snapshot.sequence:
            return snapshot
        snapshot = replace(snapshot, sequence=event.sequence)
    apply = FOLDS.get(event.name)
    return apply(snapshot, event) if apply else snapshot


def assemble(base: Snapshot, newest: Iterable[CloudEvent]) -> Snapshot:
    """Build the snapshot from `base` and the newest event of each `snapshot_key` since, in any order.

    The result equals a fold over all events, provided that each progress event carries the step's whole
    state. A progress event is applied right after the newest start of its step, or first if the step is
    running in `base`.
    """
    events = list(newest)
    progress = sorted((event for event in events if event.sequence is None), key=lambda event: event.time)
    snapshot = reduce(fold, progress, base)
    for event in sorted(
        (event for event in events if event.sequence is not None), key=lambda event: event.sequence or 0
    ):
        snapshot = fold(snapshot, event)
        if event.name == "step.started":
            snapshot = reduce(fold, (item for item in progress if item.stepid == event.stepid), snapshot)
    return snapshot
