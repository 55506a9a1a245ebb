"""How events change the run as a whole: its status, result and artifacts."""

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from signalbox_core.events import catalogue
from signalbox_core.events.envelope import CloudEvent, decode_data
from signalbox_core.events.states import ArtifactState, Fold, RunStatus, Snapshot, StepState, without_text


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
        starter=data.starter or None,
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


def _run_completed(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    return replace(
        snapshot,
        status="completed",
        result=decode_data(event, catalogue.RunCompleted).result,
        ended_at=event.time,
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
    "run.completed": _run_completed,
    "run.failed": _run_failed,
    "run.cancelled": _closed("cancelled"),
    "run.terminated": _closed("terminated"),
    "run.timed_out": _closed("timed_out"),
}


def _ended(snapshot: Snapshot, status: RunStatus, event: CloudEvent) -> Snapshot:
    """End the run; running steps and pending approvals become `cancelled`."""
    steps = tuple(
        without_text(replace(step, status="cancelled", ended_at=event.time))
        if step.status == "running"
        else step
        for step in snapshot.steps
    )
    approvals = tuple(
        replace(approval, status="cancelled") if approval.status == "pending" else approval
        for approval in snapshot.approvals
    )
    return replace(snapshot, status=status, ended_at=event.time, steps=steps, approvals=approvals)
