"""How events change the steps of a snapshot."""

from collections.abc import Mapping
from typing import Final

from msgspec import UnsetType
from msgspec.structs import replace

from signalbox_core.events import catalogue
from signalbox_core.events.envelope import CloudEvent, decode_data
from signalbox_core.events.states import Fold, Snapshot, StepState, without_progress, without_text


def _step_started(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    data = decode_data(event, catalogue.StepStarted)
    state = StepState(
        name=data.step, title=data.title, status="running", attempt=data.attempt, started_at=event.time
    )
    return _with_step(snapshot, state)


def _step_progress(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    data = decode_data(event, catalogue.StepProgress)
    state = _running_step(snapshot, data.step, event)
    if state is None:
        return snapshot
    message = state.message if data.message is None else data.message
    items = state.items if isinstance(data.items, UnsetType) else data.items
    state = replace(state, percent=data.percent, message=message, items=items)
    if data.text is not None:
        state = replace(state, text=data.text, text_offset=data.offset or 0)
    return _with_step(snapshot, state)


def _stream_reset(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    state = _running_step(snapshot, decode_data(event, catalogue.StreamReset).step, event)
    return snapshot if state is None else _with_step(snapshot, without_text(state))


def _step_completed(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    data = decode_data(event, catalogue.StepCompleted)
    previous = _step(snapshot, data.step) or StepState(name=data.step, title=data.title, attempt=1)
    ended = replace(
        without_progress(previous),
        status="completed",
        percent=100.0,
        message=data.message,
        started_at=data.started_at,
        ended_at=event.time,
        items=previous.items if isinstance(data.items, UnsetType) else data.items,
    )
    return _with_step(snapshot, ended)


def _step_failed(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    data = decode_data(event, catalogue.StepFailed)
    previous = _step(snapshot, data.step) or StepState(name=data.step, title=data.title, attempt=1)
    ended = replace(
        without_progress(previous),
        status="failed",
        message=data.error.message,
        started_at=data.started_at,
        ended_at=event.time,
        items=previous.items if isinstance(data.items, UnsetType) else data.items,
    )
    return _with_step(snapshot, ended)


STEP_FOLDS: Final[Mapping[str, Fold]] = {
    "step.started": _step_started,
    "step.progress": _step_progress,
    "stream.reset": _stream_reset,
    "step.completed": _step_completed,
    "step.failed": _step_failed,
}


def _step(snapshot: Snapshot, name: str) -> StepState | None:
    return next((step for step in snapshot.steps if step.name == name), None)


def _running_step(snapshot: Snapshot, name: str, event: CloudEvent) -> StepState | None:
    """Return the step of a progress event; None when the step has ended or started again since."""
    state = _step(snapshot, name)
    if (
        state is None
        or state.status != "running"
        or state.started_at is None
        or event.time < state.started_at
    ):
        return None
    return state


def _with_step(snapshot: Snapshot, state: StepState) -> Snapshot:
    if _step(snapshot, state.name) is None:
        return replace(snapshot, steps=(*snapshot.steps, state))
    return replace(
        snapshot, steps=tuple(state if step.name == state.name else step for step in snapshot.steps)
    )
