"""How events change the run as a whole: its status, result and artifacts."""

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from signalbox_core.events import catalogue, children, notices
from signalbox_core.events.envelope import CloudEvent, decode_data
from signalbox_core.events.states import (
    ApprovalState,
    ArtifactState,
    BlockedState,
    ChildState,
    EventWaitState,
    Fold,
    QueuedState,
    RunStatus,
    Snapshot,
    StepState,
    without_progress,
)


def _run_started(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    data = decode_data(event, catalogue.RunStarted)
    steps = tuple(StepState(name=step.name, title=step.title) for step in data.steps)
    return replace(
        snapshot,
        pipeline=data.pipeline,
        title=data.title,
        steps=steps,
        started_at=event.time,
        started_by=data.started_by,
        retry_of=data.retry_of or None,
        starter=data.starter or None,
        parent=data.parent or None,
        subject=data.subject or None,
        tags=data.tags or (),
        plain=data.plain or False,
        trace_id=data.trace_id or None,
        status="running",
    )


def _artifact_created(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    data = decode_data(event, catalogue.ArtifactCreated)
    state = ArtifactState(
        name=data.name, media_type=data.media_type, size_bytes=data.size_bytes, key=data.key, title=data.title
    )
    others = tuple(artifact for artifact in snapshot.artifacts if artifact.name != data.name)
    return replace(snapshot, artifacts=(*others, state))


def _run_paused(snapshot: Snapshot, _event: CloudEvent) -> Snapshot:
    return replace(snapshot, status="paused")


def _run_resumed(snapshot: Snapshot, _event: CloudEvent) -> Snapshot:
    return replace(snapshot, status="running")


def _child_started(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    data = decode_data(event, children.ChildStarted)
    state = ChildState(run_id=data.child_run_id, pipeline=data.pipeline, title=data.title, step=data.step)
    others = tuple(child for child in snapshot.children if child.run_id != data.child_run_id)
    return replace(snapshot, children=(*others, state))


def _child_ended(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    data = decode_data(event, children.ChildEnded)
    return replace(
        snapshot,
        children=tuple(
            replace(child, status=data.status) if child.run_id == data.child_run_id else child
            for child in snapshot.children
        ),
    )


def _run_retried(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    return replace(snapshot, retried_at=event.time)


def _run_blocked(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    data = decode_data(event, notices.RunBlocked)
    return replace(
        snapshot, blocked=BlockedState(code=data.code, reason=data.reason, since=data.since), queued=None
    )


def _run_queued(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    data = decode_data(event, notices.RunQueued)
    return replace(
        snapshot, blocked=None, queued=QueuedState(ahead=data.ahead, reason=data.reason, since=data.since)
    )


def _run_unblocked(snapshot: Snapshot, _event: CloudEvent) -> Snapshot:
    return replace(snapshot, blocked=None, queued=None)


def _run_completed(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    return replace(
        snapshot,
        status="completed",
        result=decode_data(event, catalogue.RunCompleted).result,
        ended_at=event.time,
        approvals=_without_open(snapshot),
        waits=_without_pending(snapshot),
        blocked=None,
        queued=None,
    )


def _without_open(snapshot: Snapshot) -> tuple[ApprovalState, ...]:
    """The approvals after the run's end; a run may complete with a question that it never awaited."""
    return tuple(
        replace(approval, status="cancelled") if approval.status == "pending" else approval
        for approval in snapshot.approvals
    )


def _without_pending(snapshot: Snapshot) -> tuple[EventWaitState, ...]:
    return tuple(
        replace(wait, status="cancelled") if wait.status == "pending" else wait for wait in snapshot.waits
    )


def _run_failed(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    return _ended(replace(snapshot, error=decode_data(event, catalogue.RunFailed).error), "failed", event)


def _closed(status: RunStatus) -> Fold:
    return lambda snapshot, event: _ended(snapshot, status, event)


RUN_FOLDS: Final[Mapping[str, Fold]] = {
    "run.started": _run_started,
    "artifact.created": _artifact_created,
    "run.paused": _run_paused,
    "run.resumed": _run_resumed,
    "child.started": _child_started,
    "child.ended": _child_ended,
    "run.retried": _run_retried,
    "run.blocked": _run_blocked,
    "run.queued": _run_queued,
    "run.unblocked": _run_unblocked,
    "run.completed": _run_completed,
    "run.failed": _run_failed,
    "run.cancelled": _closed("cancelled"),
    "run.terminated": _closed("terminated"),
    "run.timed_out": _closed("timed_out"),
}


def _ended(snapshot: Snapshot, status: RunStatus, event: CloudEvent) -> Snapshot:
    """End the run; running steps, pending approvals and pending waits become `cancelled`."""
    steps = tuple(
        without_progress(replace(step, status="cancelled", ended_at=event.time))
        if step.status == "running"
        else step
        for step in snapshot.steps
    )
    return replace(
        snapshot,
        status=status,
        ended_at=event.time,
        steps=steps,
        approvals=_without_open(snapshot),
        waits=_without_pending(snapshot),
        blocked=None,
        queued=None,
    )
