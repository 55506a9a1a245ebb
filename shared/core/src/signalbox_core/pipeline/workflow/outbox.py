"""The outbox: a run's milestones until the receiver is known to have them. Lives in workflow state; the pipeline never waits for it.

An event leaves only when the workflow task that made it is committed, so nothing is told that then did not happen. While the run goes
on there are two ways, both dispatched by the server at the commit: events *ride* in the header of the next activity that the same
workflow task starts, which costs no history event, and stay here until a delivery of the outbox's own confirms them; or, when no
activity follows, an own activity (`signalbox.deliver`) takes everything. The last delivery is a local activity, as nothing follows it
and it saves a round trip; `ending.py` sees to it that a repeated last task ends the same way.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from temporalio import activity, workflow
from temporalio.common import Priority, RetryPolicy
from temporalio.exceptions import FailureError, WorkflowAlreadyStartedError

from signalbox_core.errors import Unavailable
from signalbox_core.events import CloudEvent
from signalbox_core.pipeline.contract.emitter import Emitter, EventBatch
from signalbox_core.pipeline.contract.failures import as_application_error
from signalbox_core.pipeline.workflow.scheduling import quiet

DELIVER: Final = "signalbox.deliver"
OUTBOX: Final = "signalbox.outbox"
MAX_BATCH: Final = 100
MAX_BATCH_BYTES: Final = 900_000
"""The receiver takes 1 MiB."""
LAST_CHANCE: Final = timedelta(seconds=1)
"""How long the end of a run waits for the receiver before a child workflow takes over; well below a workflow task's timeout."""
MAX_PASSENGERS: Final = 20
MAX_PASSENGER_BYTES: Final = 16_000
MAX_UNCONFIRMED: Final = 60
_ENVELOPE_BYTES: Final = 600
_ATTEMPT: Final = timedelta(seconds=5)
_RETRY: Final = RetryPolicy(
    initial_interval=timedelta(milliseconds=250), maximum_interval=timedelta(seconds=5), maximum_attempts=0
)
_LAST_RETRY: Final = RetryPolicy(initial_interval=timedelta(milliseconds=200), maximum_attempts=3)
_FIRST_IN_LINE: Final = Priority(priority_key=1)


class DeliverActivities:
    """Registered on every worker."""

    def __init__(self, emitter: Emitter) -> None:
        self._emitter = emitter

    @activity.defn(name=DELIVER)
    async def deliver(self, batch: EventBatch) -> None:
        """Deliver in order. Idempotent by event id: the receiver skips what it has."""
        try:
            await self._emitter.deliver(batch.events)
        except Unavailable as error:
            # Benign: the emitter says once that the receiver is away; not every run's every attempt.
            raise as_application_error(error, benign=True) from error


class Outbox:
    """One run's outbox; at most one delivery of its own is under way, so events batch by themselves."""

    def __init__(self) -> None:
        self._events: list[CloudEvent] = []
        self._ridden = 0
        self._pending = 0
        self._local = 0
        self._task: asyncio.Task[None] | None = None
        self._sealed = False

    @property
    def undelivered(self) -> tuple[CloudEvent, ...]:
        return tuple(self._events)

    def add(self, *events: CloudEvent) -> None:
        self._events.extend(events)
        self._look()

    def ride(self, handle: "workflow.ActivityHandle[Any]") -> None:
        """Count an activity of the pipeline until it ends: while one is under way, the run is sure to be looked at again."""
        self._pending += 1
        handle.add_done_callback(self._ended)

    def hold(self, handle: "workflow.ActivityHandle[Any]") -> None:
        """Start no delivery while a local activity runs: it ends within seconds, in this same workflow task."""
        self._local += 1
        handle.add_done_callback(self._local_ended)

    def passengers(self) -> tuple[CloudEvent, ...]:
        """The events that ride with the activity about to start; few and small, as they become part of its history."""
        found = tuple(self._events[self._ridden :])
        if len(found) > MAX_PASSENGERS or sum(map(_weight, found)) > MAX_PASSENGER_BYTES:
            return ()
        self._ridden += len(found)
        return found

    def seal(self) -> None:
        """No further delivery starts: what is added from here on, the run's last event, leaves with `close`."""
        self._sealed = True

    async def close(self) -> None:
        """Deliver what is left within a second; what is then left goes to a child workflow that outlives the run.

        A delivery under way is not waited for: its events go again, and whoever has them already skips them.
        """
        self.seal()
        for batch in batches(self._events):
            try:
                await workflow.execute_local_activity(
                    DELIVER,
                    EventBatch(events=batch),
                    schedule_to_close_timeout=LAST_CHANCE,
                    retry_policy=_LAST_RETRY,
                )
            except FailureError:
                break
            del self._events[: len(batch)]
        await hand_over(self._events)

    def _ended(self, _handle: object) -> None:
        self._pending -= 1
        if self._pending == 0 and self._events:
            self._look()

    def _local_ended(self, _handle: object) -> None:
        self._local -= 1
        if self._local == 0 and self._events:
            self._look()

    def _look(self) -> None:
        if not self._sealed and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._deliver(), name="signalbox outbox")

    async def _deliver(self) -> None:
        # What this workflow task still brings travels along, or takes the events with it.
        await quiet()
        while not self._sealed and self._must_deliver():
            batch = batches(self._events)[0]
            await workflow.execute_activity(
                DELIVER,
                EventBatch(events=batch),
                start_to_close_timeout=_ATTEMPT,
                retry_policy=_RETRY,
                priority=_FIRST_IN_LINE,
            )
            if not self._sealed:
                del self._events[: len(batch)]
                self._ridden = max(0, self._ridden - len(batch))

    def _must_deliver(self) -> bool:
        """Something rides with nobody, or nothing is sure to bring the run back here, or too much is unconfirmed."""
        if self._local:
            return False
        return bool(self._events) and (
            self._ridden < len(self._events) or self._pending == 0 or len(self._events) > MAX_UNCONFIRMED
        )


@workflow.defn(name=OUTBOX)
class OutboxWorkflow:
    """Delivers what a closed run left behind, however long it takes."""

    @workflow.run
    async def run(self, batch: EventBatch) -> None:
        for part in batches(batch.events):
            await workflow.execute_activity(
                DELIVER,
                EventBatch(events=part),
                start_to_close_timeout=_ATTEMPT,
                retry_policy=_RETRY,
                priority=_FIRST_IN_LINE,
            )


async def hand_over(events: Sequence[CloudEvent]) -> None:
    """Start the child that delivers the rest: on the run's own queue, whose workers know it; the run's end does not end it."""
    run_id = workflow.info().workflow_id
    for number, part in enumerate(batches(events), start=1):
        child_id = f"{run_id}/outbox" if number == 1 else f"{run_id}/outbox-{number}"
        try:
            await _start_child(child_id, part)
        except WorkflowAlreadyStartedError:
            # An earlier execution of this run left one that still delivers.
            await _start_child(f"{child_id}/{workflow.info().run_id}", part)


async def _start_child(child_id: str, part: tuple[CloudEvent, ...]) -> None:
    await workflow.start_child_workflow(
        OUTBOX,
        EventBatch(events=part),
        id=child_id,
        parent_close_policy=workflow.ParentClosePolicy.ABANDON,
        cancellation_type=workflow.ChildWorkflowCancellationType.ABANDON,
    )


def batches(events: Sequence[CloudEvent]) -> list[tuple[CloudEvent, ...]]:
    """Cut into batches that the receiver takes: at most 100 events and 900 kB, order kept."""
    cut: list[tuple[CloudEvent, ...]] = []
    current: list[CloudEvent] = []
    size = 0
    for event in events:
        weight = _weight(event)
        if current and (len(current) == MAX_BATCH or size + weight > MAX_BATCH_BYTES):
            cut.append(tuple(current))
            current, size = [], 0
        current.append(event)
        size += weight
    return [*cut, tuple(current)] if current else cut


def _weight(event: CloudEvent) -> int:
    return len(bytes(event.data)) + _ENVELOPE_BYTES
