"""Where a run is reset, from its history."""

from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.enums.v1 import EventType
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent

from signalbox_core.events import Snapshot, catalogue
from signalbox_core.events.snapshot import StepState
from signalbox_gateway.runs.reset_point import ResetPoint, repeated_steps, scan

BEGAN = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


class History:
    """Builds a history event by event; every event is a second later than the one before it."""

    def __init__(self) -> None:
        self.events: list[HistoryEvent] = []

    def add(self, kind: str, **attributes: object) -> int:
        number = len(self.events) + 1
        at = Timestamp()
        at.FromDatetime(BEGAN + timedelta(seconds=number))
        event = HistoryEvent(
            event_id=number, event_time=at, event_type=EventType.Value(f"EVENT_TYPE_{kind.upper()}")
        )
        if attributes:
            member = getattr(event, f"{kind}_event_attributes")
            for name, value in attributes.items():
                if isinstance(value, Failure):
                    getattr(member, name).CopyFrom(value)
                else:
                    setattr(member, name, value)
        self.events.append(event)
        return number

    def task(self) -> int:
        started = self.add("workflow_task_started")
        return self.add("workflow_task_completed", started_event_id=started)

    def call(self, task: int) -> int:
        return self.add("activity_task_scheduled", workflow_task_completed_event_id=task)


def at(number: int) -> datetime:
    return BEGAN + timedelta(seconds=number)


def snapshot(*steps: StepState, failed: str | None = None) -> Snapshot:
    error = catalogue.Failure(code="c", message="m", step=failed) if failed else None
    return Snapshot(run_id="r", tenant="acme", steps=steps, error=error)


def failure_of_call(call: int) -> Failure:
    failure = Failure(message="failed")
    failure.cause.activity_failure_info.scheduled_event_id = call
    return failure


def test_a_failed_call_is_started_again() -> None:
    history = History()
    first = history.task()
    done = history.call(first)
    history.add("activity_task_completed", scheduled_event_id=done)
    second = history.task()
    failing, beside = history.call(second), history.call(second)
    history.add("activity_task_failed", scheduled_event_id=failing)
    history.add("activity_task_failed", scheduled_event_id=beside)
    history.task()
    history.add("workflow_execution_failed", failure=failure_of_call(failing))

    point = scan(history.events).reset_point(snapshot())

    assert point == ResetPoint(event_id=second, started_at=at(second - 1))


def test_a_failure_of_workflow_code_repeats_its_step() -> None:
    history = History()
    history.task()
    begun = history.task()
    history.task()
    history.add("workflow_execution_failed", failure=Failure(message="bad"))
    step = StepState(name="draw", title="Draw", status="failed", started_at=at(begun - 1))

    point = scan(history.events).reset_point(snapshot(step, failed="draw"))

    assert point is not None
    assert point.event_id == begun


def test_a_cancelled_run_goes_back_before_the_announcement() -> None:
    history = History()
    history.task()
    last = history.task()
    history.add("workflow_execution_signaled", signal_name="cancel_reason")
    history.add("workflow_execution_cancel_requested")
    history.task()
    history.add("workflow_execution_canceled")

    point = scan(history.events).reset_point(snapshot())

    assert point == ResetPoint(event_id=last, started_at=at(last - 1), skips_signals=True)


def test_a_terminated_run_repeats_its_last_task() -> None:
    history = History()
    history.task()
    last = history.task()
    history.add("workflow_execution_terminated")

    point = scan(history.events).reset_point(snapshot())

    assert point is not None
    assert point.event_id == last


def test_a_run_that_did_nothing_has_no_reset_point() -> None:
    history = History()
    history.add("workflow_execution_started")

    assert scan(history.events).reset_point(snapshot()) is None


def test_steps_that_completed_after_the_point_would_run_again() -> None:
    point = ResetPoint(event_id=4, started_at=at(3))
    early = StepState(name="early", title="", status="completed", ended_at=at(3))
    late = StepState(name="late", title="", status="completed", ended_at=at(5))

    assert repeated_steps(snapshot(early, late), point) == ["late"]
