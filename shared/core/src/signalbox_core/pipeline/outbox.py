"""The outbox: a run's milestones until the receiver has them. Lives in workflow state; the pipeline never waits for it.

While the run goes on, delivery is an ordinary activity: the server dispatches it when the workflow task that made the events is
committed, so nothing is told that then did not happen, and the pipeline's own commands are not held back by a slow receiver. (A
local activity runs before the commit and holds them.) Only the last delivery is a local activity, as nothing follows it and a round
trip through the server is saved; `ending.py` sees to it that a repeated last task ends the same way.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from msgspec import Struct
from temporalio import activity, workflow
from temporalio.common import Priority, RetryPolicy
from temporalio.exceptions import ActivityError, WorkflowAlreadyStartedError

from signalbox_core.errors import Unavailable
from signalbox_core.events import CloudEvent
from signalbox_core.pipeline.emitting import Emitter
from signalbox_core.pipeline.failures import as_application_error
from signalbox_core.pipeline.turns import quiet

DELIVER: Final = "signalbox.deliver"
OUTBOX: Final = "signalbox.outbox"
MAX_BATCH: Final = 100
MAX_BATCH_BYTES: Final = 900_000
"""The receiver takes 1 MiB."""
LAST_CHANCE: Final = timedelta(seconds=1)
"""How long the end of a run waits for the receiver before a child workflow takes over; well below a workflow task's timeout."""
_ENVELOPE_BYTES: Final = 600
_ATTEMPT: Final = timedelta(seconds=5)
_RETRY: Final = RetryPolicy(initial_interval=timedelta(milliseconds=250), maximum_interval=timedelta(seconds=5), maximum_attempts=0)
_LAST_RETRY: Final = RetryPolicy(initial_interval=timedelta(milliseconds=200), maximum_attempts=3)
_FIRST_IN_LINE: Final = Priority(priority_key=1)


class EventBatch(Struct, frozen=True, kw_only=True):
    events: tuple[CloudEvent, ...]


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
    """One run's outbox; at most one delivery is under way, so events arrive in order and batch by themselves."""

    def __init__(self) -> None:
        self._waiting: list[CloudEvent] = []
        self._batch: tuple[CloudEvent, ...] = ()
        self._task: asyncio.Task[None] | None = None
        self._closing = False

    @property
    def undelivered(self) -> tuple[CloudEvent, ...]:
        return (*self._batch, *self._waiting)

    def add(self, *events: CloudEvent) -> None:
        self._waiting.extend(events)
        if not self._closing and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._deliver(), name="signalbox outbox")

    def seal(self) -> None:
        """No further delivery starts: what is added from here on, the run's last event, leaves with `close`."""
        self._closing = True

    async def close(self) -> None:
        """Deliver what is left within a second; what is then left goes to a child workflow that outlives the run."""
        if await self._settled() and await self._last_try():
            return
        await hand_over(self.undelivered)

    async def _deliver(self) -> None:
        # What this workflow task still brings travels along, and the pipeline's own commands come first.
        await quiet()
        while self._waiting and not self._closing:
            self._take()
            await workflow.execute_activity(
                DELIVER,
                EventBatch(events=self._batch),
                start_to_close_timeout=_ATTEMPT,
                retry_policy=_RETRY,
                priority=_FIRST_IN_LINE,
            )
            self._batch = ()

    def _take(self) -> None:
        self._batch = batches(self._waiting)[0]
        del self._waiting[: len(self._batch)]

    async def _settled(self) -> bool:
        """Whether the delivery under way has ended; one that does not end in time is given up (the child repeats it)."""
        task = self._task
        if task is None or task.done() or not self._batch:
            return True
        await workflow.wait([task], timeout=LAST_CHANCE.total_seconds())
        if task.done():
            return True
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return False

    async def _last_try(self) -> bool:
        while self._waiting:
            self._take()
            try:
                await workflow.execute_local_activity(
                    DELIVER, EventBatch(events=self._batch), schedule_to_close_timeout=LAST_CHANCE, retry_policy=_LAST_RETRY
                )
            except ActivityError:
                return False
            self._batch = ()
        return True


@workflow.defn(name=OUTBOX)
class OutboxWorkflow:
    """Delivers what a closed run left behind, however long it takes."""

    @workflow.run
    async def run(self, batch: EventBatch) -> None:
        for part in batches(batch.events):
            await workflow.execute_activity(
                DELIVER, EventBatch(events=part), start_to_close_timeout=_ATTEMPT, retry_policy=_RETRY, priority=_FIRST_IN_LINE
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
        weight = len(bytes(event.data)) + _ENVELOPE_BYTES
        if current and (len(current) == MAX_BATCH or size + weight > MAX_BATCH_BYTES):
            cut.append(tuple(current))
            current, size = [], 0
        current.append(event)
        size += weight
    return [*cut, tuple(current)] if current else cut
