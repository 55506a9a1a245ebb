"""The steps of a plain workflow: one for each activity type, whatever the number of its calls.

Calls that overlap are one attempt of the step. It ends with the last of them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from msgspec import Struct

from signalbox_core.events.catalogue import Failure, StepCompleted, StepFailed, StepProgress, StepStarted
from signalbox_core.events.snapshot import Snapshot
from signalbox_core.pipeline.contract.step_header import StepCall
from signalbox_core.pipeline.workflow.plain.titles import step_name, title_of

MAX_STEPS: Final = 200
"""Activity types that are shown; calls of further ones are not."""
MAX_ATTEMPTS: Final = 25
"""Attempts of a step that are recorded: a loop of thousands of calls must not make thousands of events."""


class StepRecorder(Protocol):
    """Records a step's milestone."""

    def __call__(self, name: str, data: Struct, *, step: str) -> None: ...


@dataclass(kw_only=True)
class _Calls:
    """The calls of one activity type.

    Attributes:
        is_open: the step has started and not ended; it stays open between calls once it has had
            MAX_ATTEMPTS.
        started, ended: calls of the current attempt.
        failure: the first one of the current attempt.
    """

    title: str
    attempt: int = 0
    is_open: bool = False
    started_at: datetime | None = None
    started: int = 0
    ended: int = 0
    failure: Failure | None = None

    @property
    def in_flight(self) -> int:
        return self.started - self.ended


class PlainSteps:
    """Turns activity calls into the events of steps. Deterministic."""

    def __init__(
        self,
        record: StepRecorder,
        report: Callable[[StepProgress], None],
        now: Callable[[], datetime],
    ) -> None:
        self._record = record
        self._report = report
        self._now = now
        self._calls: dict[str, _Calls] = {}

    def restore(self, snapshot: Snapshot) -> None:
        """Continue the count of attempts after continue-as-new."""
        self._calls = {step.name: _Calls(title=step.title, attempt=step.attempt) for step in snapshot.steps}

    def next_call(self, activity_type: str, *, tenant: str, run_id: str) -> StepCall:
        """Return the header of a call that is about to start; without a step when there are too many."""
        name = step_name(activity_type)
        calls = self._calls.get(name)
        if calls is None:
            step = name if len(self._calls) < MAX_STEPS else None
            return StepCall(tenant=tenant, run_id=run_id, step=step)
        attempt = calls.attempt if calls.is_open else calls.attempt + 1
        started = calls.started + 1 if calls.is_open else 1
        return StepCall(
            tenant=tenant,
            run_id=run_id,
            step=name,
            attempt=attempt,
            index=started - 1,
            total=started if started > 1 else 0,
        )

    def start(self, call: StepCall, activity_type: str) -> None:
        """Note that a call has started."""
        if call.step is None:
            return
        calls = self._calls.setdefault(call.step, _Calls(title=title_of(activity_type)))
        if not calls.is_open:
            calls.is_open, calls.attempt, calls.started_at = True, calls.attempt + 1, self._now()
            calls.started, calls.ended, calls.failure = 0, 0, None
            data = StepStarted(step=call.step, title=calls.title, attempt=calls.attempt)
            self._record("step.started", data, step=call.step)
        calls.started += 1

    def end(self, call: StepCall, failure: Failure | None) -> None:
        """Note that a call has ended."""
        calls = self._calls.get(call.step or "")
        if call.step is None or calls is None:
            return
        calls.ended += 1
        calls.failure = calls.failure or failure
        if calls.in_flight == 0 and calls.attempt < MAX_ATTEMPTS:
            self._close(call.step, calls)
        elif calls.started > 1:
            percent = 100.0 * calls.ended / calls.started
            message = f"{calls.ended} of {calls.started}"
            self._report(
                StepProgress(step=call.step, percent=percent, message=message, attempt=calls.attempt)
            )

    def close(self, unfinished: Failure | None) -> None:
        """End the open steps, because the workflow ends.

        Args:
            unfinished: of steps with calls in flight; None leaves them to the event that ends the run.
        """
        for name, calls in self._open():
            if calls.in_flight and calls.failure is None:
                if unfinished is None:
                    continue
                calls.failure = unfinished
            self._close(name, calls)

    def _open(self) -> Iterator[tuple[str, _Calls]]:
        return ((name, calls) for name, calls in self._calls.items() if calls.is_open)

    def _close(self, name: str, calls: _Calls) -> None:
        assert calls.started_at is not None
        calls.is_open = False
        if calls.failure is not None:
            failed = StepFailed(
                step=name, title=calls.title, started_at=calls.started_at, error=calls.failure
            )
            self._record("step.failed", failed, step=name)
            return
        message = f"{calls.ended} calls" if calls.ended > 1 else None
        done = StepCompleted(step=name, title=calls.title, started_at=calls.started_at, message=message)
        self._record("step.completed", done, step=name)
