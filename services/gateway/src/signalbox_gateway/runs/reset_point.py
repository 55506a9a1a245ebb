"""Finds where to reset a run so that it continues from its failed step. Pure.

Temporal keeps the history up to a workflow task and runs that task again. What completed before it keeps its
result; what that task had started, starts again.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import Struct
from temporalio.api.enums.v1 import EventType
from temporalio.api.failure.v1 import Failure as HistoryFailure
from temporalio.api.history.v1 import HistoryEvent

from signalbox_core.events import Snapshot
from signalbox_core.pipeline.contract.messages import SIGNAL_CANCEL_REASON

_TOLERANCE: Final = timedelta(milliseconds=1)
"""History has nanoseconds, a snapshot microseconds."""


class ResetPoint(Struct, frozen=True, kw_only=True):
    """The workflow task to run again.

    Attributes:
        event_id: of its `WorkflowTaskCompleted`.
        started_at: when it started, which is the workflow's time during the task.
        skips_signals: signals after the point are not delivered again, because they announced the cancel.
    """

    event_id: int
    started_at: datetime
    skips_signals: bool = False


class HistoryScan:
    """Collects from a history what the choice of the reset point needs. Memory grows with the number of
    workflow tasks and activities, not with the size of their payloads."""

    def __init__(self) -> None:
        self._started_at: dict[int, datetime] = {}
        self._tasks: dict[int, datetime] = {}
        self._scheduled_by: dict[int, int] = {}
        self._failed_call: int | None = None
        self._cancelled_at: int | None = None
        self._cancel_signal: int | None = None
        self._closing_failure: HistoryFailure | None = None

    def add(self, event: HistoryEvent) -> None:
        match event.event_type:
            case EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED:
                self._started_at[event.event_id] = event.event_time.ToDatetime(UTC)
            case EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
                task = event.workflow_task_completed_event_attributes
                self._tasks[event.event_id] = self._started_at[task.started_event_id]
            case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
                if event.workflow_execution_signaled_event_attributes.signal_name == SIGNAL_CANCEL_REASON:
                    self._cancel_signal = event.event_id
            case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED:
                self._cancelled_at = event.event_id
            case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
                self._closing_failure = event.workflow_execution_failed_event_attributes.failure
            case _:
                self._add_call(event)

    def _add_call(self, event: HistoryEvent) -> None:
        match event.event_type:
            case EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
                scheduled = event.activity_task_scheduled_event_attributes
                self._scheduled_by[event.event_id] = scheduled.workflow_task_completed_event_id
            case EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED:
                child = event.start_child_workflow_execution_initiated_event_attributes
                self._scheduled_by[event.event_id] = child.workflow_task_completed_event_id
            case EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED:
                self._failed_call = event.activity_task_failed_event_attributes.scheduled_event_id
            case EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
                self._failed_call = event.activity_task_timed_out_event_attributes.scheduled_event_id
            case EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED:
                failed = event.child_workflow_execution_failed_event_attributes
                self._failed_call = failed.initiated_event_id
            case _:
                pass

    def reset_point(self, snapshot: Snapshot) -> ResetPoint | None:
        """The workflow task that started what failed; None when no workflow task has completed.

        In this order: the task that started the failed call, the task in which the failed step started, the
        last task before the cancel, the last task.
        """
        if self._cancelled_at is not None:
            first = min(self._cancelled_at, self._cancel_signal or self._cancelled_at)
            return self._at(self._last_before(first), skips_signals=True)
        if self._closing_failure is not None:
            call = _call_of(self._closing_failure) or self._failed_call
            if call is not None and call in self._scheduled_by:
                return self._at(self._scheduled_by[call])
            if (found := self._start_of_failed_step(snapshot)) is not None:
                return self._at(found)
        return self._at(max(self._tasks, default=None))

    def _start_of_failed_step(self, snapshot: Snapshot) -> int | None:
        name = snapshot.error.step if snapshot.error is not None else None
        step = next((step for step in snapshot.steps if step.name == name), None)
        if step is None or step.started_at is None:
            return None
        started_at = step.started_at
        return next(
            (task for task, at in sorted(self._tasks.items()) if abs(at - started_at) <= _TOLERANCE), None
        )

    def _last_before(self, event_id: int) -> int | None:
        return max((task for task in self._tasks if task < event_id), default=None)

    def _at(self, task: int | None, *, skips_signals: bool = False) -> ResetPoint | None:
        if task is None:
            return None
        return ResetPoint(event_id=task, started_at=self._tasks[task], skips_signals=skips_signals)


def scan(events: Iterable[HistoryEvent]) -> HistoryScan:
    found = HistoryScan()
    for event in events:
        found.add(event)
    return found


def repeated_steps(snapshot: Snapshot, point: ResetPoint) -> list[str]:
    """The completed steps that would run again, because they completed after the reset point."""
    return [
        step.name
        for step in snapshot.steps
        if step.status == "completed"
        and step.ended_at is not None
        and step.ended_at - point.started_at > _TOLERANCE
    ]


def _call_of(failure: HistoryFailure) -> int | None:
    """The event that scheduled the call which made the run fail: the innermost one in the causes."""
    found: int | None = None
    current: HistoryFailure | None = failure
    while current is not None:
        if current.HasField("activity_failure_info"):
            found = current.activity_failure_info.scheduled_event_id or found
        elif current.HasField("child_workflow_execution_failure_info"):
            found = current.child_workflow_execution_failure_info.initiated_event_id or found
        current = current.cause if current.HasField("cause") else None
    return found
