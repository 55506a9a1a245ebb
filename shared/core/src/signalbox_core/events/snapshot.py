"""A run's snapshot: what a listener without a cursor gets first. A pure fold over the run's events.

The workflow's query and the stream's projection use this one function, so both answer the same.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from typing import Final, TypeAlias, TypeVar

import msgspec
from msgspec import Struct, UnsetType
from msgspec.structs import replace

from signalbox_core.events import catalogue
from signalbox_core.events.envelope import CloudEvent
from signalbox_core.events.states import (
    ENDED,
    ApprovalState,
    ApprovalStatus,
    ArtifactState,
    RunStatus,
    Snapshot,
    StepState,
    StepStatus,
)

__all__ = [
    "ENDED",
    "ApprovalState",
    "ApprovalStatus",
    "ArtifactState",
    "RunStatus",
    "Snapshot",
    "StepState",
    "StepStatus",
    "assemble",
    "fold",
    "snapshot_key",
]

T = TypeVar("T", bound=Struct)

Change: TypeAlias = Callable[[Snapshot, CloudEvent], Snapshot]


def snapshot_key(event: CloudEvent) -> str:
    """The field under which the newest event of its sort is kept; folding all fields in order gives the snapshot.

    Progress has one field a step; a milestone one for its name and subject (step, approval or artifact).
    """
    subject = msgspec.json.decode(event.data, type=_Subject)
    return f"{event.name}/{subject.approval_id or subject.name or subject.step or ''}"


class _Subject(Struct, frozen=True):
    step: str | None = None
    approval_id: str | None = None
    name: str | None = None


def fold(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    """The snapshot after `event`. Milestones must come in order; one that is already in is ignored, as is an unknown type."""
    if event.sequence is not None:
        if event.sequence <= snapshot.sequence:
            return snapshot
        snapshot = replace(snapshot, sequence=event.sequence)
    change = _CHANGES.get(event.name)
    return change(snapshot, event) if change else snapshot


def assemble(base: Snapshot, newest: Iterable[CloudEvent]) -> Snapshot:
    """The snapshot from the newest event of each sort (one for each `snapshot_key`) since `base`, in any order.

    Equals folding all events, when each progress event carries the step's whole state: it counts right after the step's newest
    start, and at once for a step that `base` has running.
    """
    events = list(newest)
    live = sorted((event for event in events if event.sequence is None), key=lambda event: event.time)
    snapshot = reduce(fold, live, base)
    for event in sorted(
        (event for event in events if event.sequence is not None), key=lambda event: event.sequence or 0
    ):
        snapshot = fold(snapshot, event)
        if event.name == "step.started":
            snapshot = reduce(fold, (item for item in live if item.stepid == event.stepid), snapshot)
    return snapshot


def _data(event: CloudEvent, kind: type[T]) -> T:
    return msgspec.json.decode(event.data, type=kind)


def _run_started(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    data = _data(event, catalogue.RunStarted)
    steps = tuple(StepState(name=step.name, title=step.title) for step in data.steps)
    return replace(
        snapshot,
        pipeline=data.pipeline,
        title=data.title,
        steps=steps,
        started_at=event.time,
        started_by=data.started_by,
        status="running",
    )


def _step_started(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    data = _data(event, catalogue.StepStarted)
    state = StepState(
        name=data.step, title=data.title, status="running", attempt=data.attempt, started_at=event.time
    )
    return _with_step(snapshot, state)


def _step_progress(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    data = _data(event, catalogue.StepProgress)
    state = _running(snapshot, data.step, event)
    if state is None:
        return snapshot
    message = state.message if data.message is None else data.message
    items = state.items if isinstance(data.items, UnsetType) else data.items
    state = replace(state, percent=data.percent, message=message, items=items)
    if data.text is not None:
        state = replace(state, text=data.text, text_offset=data.offset or 0)
    return _with_step(snapshot, state)


def _stream_reset(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    state = _running(snapshot, _data(event, catalogue.StreamReset).step, event)
    return snapshot if state is None else _with_step(snapshot, _without_text(state))


def _step_completed(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    data = _data(event, catalogue.StepCompleted)
    before = _step(snapshot, data.step) or StepState(name=data.step, title=data.title, attempt=1)
    ended = replace(
        _over(before),
        status="completed",
        percent=100.0,
        message=data.message,
        started_at=data.started_at,
        ended_at=event.time,
    )
    return _with_step(snapshot, ended)


def _step_failed(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    data = _data(event, catalogue.StepFailed)
    before = _step(snapshot, data.step) or StepState(name=data.step, title=data.title, attempt=1)
    ended = replace(
        _over(before),
        status="failed",
        message=data.error.message,
        started_at=data.started_at,
        ended_at=event.time,
    )
    return _with_step(snapshot, ended)


def _artifact_created(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    data = _data(event, catalogue.ArtifactCreated)
    state = ArtifactState(
        name=data.name, media_type=data.media_type, size_bytes=data.size_bytes, key=data.key, title=data.title
    )
    others = tuple(artifact for artifact in snapshot.artifacts if artifact.name != data.name)
    return replace(snapshot, artifacts=(*others, state))


def _approval_requested(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    data = _data(event, catalogue.ApprovalRequested)
    state = ApprovalState(
        approval_id=data.approval_id,
        name=data.name,
        title=data.title,
        status="pending",
        answer_schema=data.answer_schema,
        options=data.options,
        evidence=data.evidence,
        digest=data.digest,
        requested_at=event.time,
        step=data.step,
        deadline_at=data.deadline_at,
    )
    others = tuple(approval for approval in snapshot.approvals if approval.approval_id != data.approval_id)
    return replace(snapshot, approvals=(*others, state))


def _approval_decided(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    data = _data(event, catalogue.ApprovalDecided)
    return _with_approval(
        snapshot,
        data.approval_id,
        lambda state: replace(
            state,
            status="decided",
            decision_id=data.decision_id,
            decided_by=data.decided_by,
            decided_at=event.time,
            answer=data.answer,
            note=data.note,
        ),
    )


def _approval_expired(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    data = _data(event, catalogue.ApprovalExpired)
    return _with_approval(snapshot, data.approval_id, lambda state: replace(state, status="expired"))


def _run_paused(snapshot: Snapshot, _event: CloudEvent) -> Snapshot:
    return replace(snapshot, status="paused")


def _run_resumed(snapshot: Snapshot, _event: CloudEvent) -> Snapshot:
    return replace(snapshot, status="running")


def _run_completed(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    return replace(
        snapshot, status="completed", result=_data(event, catalogue.RunCompleted).result, ended_at=event.time
    )


def _run_failed(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    return _ended(replace(snapshot, error=_data(event, catalogue.RunFailed).error), "failed", event)


def _closed(status: RunStatus) -> Change:
    return lambda snapshot, event: _ended(snapshot, status, event)


_CHANGES: Final[Mapping[str, Change]] = {
    "run.started": _run_started,
    "step.started": _step_started,
    "step.progress": _step_progress,
    "stream.reset": _stream_reset,
    "step.completed": _step_completed,
    "step.failed": _step_failed,
    "artifact.created": _artifact_created,
    "approval.requested": _approval_requested,
    "approval.decided": _approval_decided,
    "approval.expired": _approval_expired,
    "run.paused": _run_paused,
    "run.resumed": _run_resumed,
    "run.completed": _run_completed,
    "run.failed": _run_failed,
    "run.cancelled": _closed("cancelled"),
    "run.terminated": _closed("terminated"),
    "run.timed_out": _closed("timed_out"),
}


def _ended(snapshot: Snapshot, status: RunStatus, event: CloudEvent) -> Snapshot:
    """What was open when the run ended is closed with it."""
    steps = tuple(
        _without_text(replace(step, status="cancelled", ended_at=event.time))
        if step.status == "running"
        else step
        for step in snapshot.steps
    )
    approvals = tuple(
        replace(approval, status="cancelled") if approval.status == "pending" else approval
        for approval in snapshot.approvals
    )
    return replace(snapshot, status=status, ended_at=event.time, steps=steps, approvals=approvals)


def _step(snapshot: Snapshot, name: str) -> StepState | None:
    return next((step for step in snapshot.steps if step.name == name), None)


def _running(snapshot: Snapshot, name: str, event: CloudEvent) -> StepState | None:
    """The step that a progress event is about; None when the event is late, or of an earlier round of the step."""
    state = _step(snapshot, name)
    if (
        state is None
        or state.status != "running"
        or state.started_at is None
        or event.time < state.started_at
    ):
        return None
    return state


def _over(state: StepState) -> StepState:
    """What progress told of a running step goes with its end: the workflow heard none of what its activities told."""
    return replace(_without_text(state), percent=None, message=None)


def _without_text(state: StepState) -> StepState:
    return replace(state, text=None, text_offset=0)


def _with_step(snapshot: Snapshot, state: StepState) -> Snapshot:
    if _step(snapshot, state.name) is None:
        return replace(snapshot, steps=(*snapshot.steps, state))
    return replace(
        snapshot, steps=tuple(state if step.name == state.name else step for step in snapshot.steps)
    )


def _with_approval(
    snapshot: Snapshot, approval_id: str, change: "Callable[[ApprovalState], ApprovalState]"
) -> Snapshot:
    return replace(
        snapshot,
        approvals=tuple(
            change(item) if item.approval_id == approval_id else item for item in snapshot.approvals
        ),
    )
