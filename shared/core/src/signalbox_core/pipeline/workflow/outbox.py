"""The outbox: a run's milestones that the receiver has not confirmed yet. Lives in workflow state.

The pipeline never waits for delivery. An event leaves only when the workflow task that made it is committed,
so no event is published for something that did not happen. While the run continues there are two ways, both
dispatched by the server at the commit:

- Events *piggyback* in the header of the next activity that the same workflow task starts. This costs no
  history event. They stay in the outbox until a separate delivery confirms them.
- When no activity follows, a separate activity (`signalbox.deliver`) takes everything.

The last delivery is a local activity: nothing follows it, and it saves a round trip. `lifecycle.py` makes
sure that a repeated last workflow task ends the same way.
"""

import asyncio
from collections.abc import Collection, Sequence
from datetime import timedelta
from itertools import islice
from typing import Any, Final

from temporalio import workflow
from temporalio.common import Priority, RetryPolicy
from temporalio.exceptions import FailureError, WorkflowAlreadyStartedError

from signalbox_core.events import CloudEvent
from signalbox_core.pipeline.contract.emitter import EventBatch, batch_of
from signalbox_core.pipeline.workflow.delivery import (
    DELIVER,
    Delivered,
    batches,
    size_bytes,
    untitled_size_bytes,
)
from signalbox_core.pipeline.workflow.waits import wait_until, wait_until_idle

OUTBOX: Final = "signalbox.outbox"
FINAL_DELIVERY_TIMEOUT: Final = timedelta(seconds=1)
"""How long a run's end waits for the receiver before a child workflow takes over.

Well below a workflow task's timeout.
"""
MAX_PIGGYBACK_EVENTS: Final = 20
MAX_PIGGYBACK_BYTES: Final = 16_000
MAX_UNCONFIRMED: Final = 60
LONG_HISTORY: Final = 1_000
"""The number of events from which a run avoids that its end makes Temporal replay the history."""
_ATTEMPT_TIMEOUT: Final = timedelta(seconds=5)
_RETRY: Final = RetryPolicy(
    initial_interval=timedelta(milliseconds=250), maximum_interval=timedelta(seconds=5), maximum_attempts=0
)
_FINAL_RETRY: Final = RetryPolicy(initial_interval=timedelta(milliseconds=200), maximum_attempts=3)
_HIGHEST_PRIORITY: Final = Priority(priority_key=1)


class Outbox:
    """One run's outbox. At most one separate delivery is in flight, so events batch up behind it.

    Attributes:
        waits_for_reaction: whether a delivery waits until the workflow has reacted to what woke it. The end
            of the run, or an activity that it starts, then takes the events, and no delivery is needed.

    Args:
        counts_titles: whether titles count when events are too large to piggyback, as in older histories.
    """

    def __init__(self, *, counts_titles: bool = True) -> None:
        self._size_bytes = size_bytes if counts_titles else untitled_size_bytes
        self.waits_for_reaction = False
        self._events: list[CloudEvent] = []
        self._piggybacked = 0
        self._pending_activities = 0
        self._pending_local_activities = 0
        self._flush_task: asyncio.Task[None] | None = None
        self._is_delivering = False
        self._is_flush_deferred = False
        self._intake_closed = False
        self._awaits_delivery = False
        self._is_settling = False
        self._unrecorded: set[str] = set()

    @property
    def undelivered(self) -> tuple[CloudEvent, ...]:
        return tuple(self._events)

    def add(self, *events: CloudEvent) -> None:
        """Queue events and schedule a delivery."""
        self._events.extend(events)
        self._schedule_flush()

    def track_activity(self, handle: "workflow.ActivityHandle[Any]") -> None:
        """Count one of the pipeline's activities until it ends; its result will wake the workflow again."""
        self._pending_activities += 1
        handle.add_done_callback(self._on_activity_done)

    def track_local_activity(self, handle: "workflow.ActivityHandle[Any]") -> None:
        """Defer deliveries while a local activity runs; it ends within seconds, in this workflow task."""
        self._pending_local_activities += 1
        handle.add_done_callback(self._on_local_activity_done)

    def piggyback_events(self) -> tuple[CloudEvent, ...]:
        """Take the events to send in the header of the activity about to start.

        Returns:
            The events that no header carries yet; none when they are too many or too large, since a header
            becomes part of the history, or while a question is being recorded. Until then replay may compute
            an event of another size.
        """
        if self._unrecorded:
            return ()
        found = tuple(self._events[self._piggybacked :])
        if len(found) > MAX_PIGGYBACK_EVENTS or sum(map(self._size_bytes, found)) > MAX_PIGGYBACK_BYTES:
            return ()
        self._piggybacked += len(found)
        return found

    def hold(self, event_id: str) -> None:
        """Leave the events of this workflow task to the recording of a question, whose event is given."""
        self._unrecorded.add(event_id)
        self._is_flush_deferred = True

    def begin_recording(self) -> tuple[CloudEvent, ...]:
        """Take the undelivered events for the delivery that the recording of a question makes.

        Returns:
            Nothing when another delivery is in flight, when they are too many for one delivery, and when the
            run is ending.
        """
        self._is_flush_deferred = False
        parts = list(islice(batches(self._events), 2))
        if self._is_delivering or self._intake_closed or len(parts) != 1:
            self._schedule_flush()
            return ()
        self._is_delivering = True
        return parts[0]

    def end_recording(self, delivered: Sequence[CloudEvent], *, is_awaited: bool) -> None:
        """Drop the events that the recording delivered; schedule a delivery of the others."""
        self._awaits_delivery = is_awaited
        self._is_delivering = False
        self._confirm(len(delivered))
        self._schedule_flush()

    def restore(self, event: CloudEvent) -> None:
        """Take over the event of a question as the history has it."""
        self._unrecorded.discard(event.id)
        place = next((place for place, item in enumerate(self._events) if item.id == event.id), None)
        if place is not None:
            self._events[place] = event

    def close_intake(self) -> None:
        """Start no further delivery; events added from here on are delivered by `close`."""
        self._intake_closed = True

    async def close(self) -> None:
        """Deliver the remaining events within a second, and hand what is then left to a child workflow.

        A delivery in flight is awaited only if the history is long. Else its events are sent again, and the
        receiver deduplicates them.
        """
        self.close_intake()
        await self._settle_delivery()
        for batch in list(batches(self._events)):
            try:
                await workflow.execute_local_activity(
                    DELIVER,
                    batch_of(batch),
                    schedule_to_close_timeout=FINAL_DELIVERY_TIMEOUT,
                    retry_policy=_FINAL_RETRY,
                )
            except FailureError:
                break
            del self._events[: len(batch)]
        await start_outbox_children(self._events)

    async def _settle_delivery(self) -> None:
        """Wait for the delivery in flight if the history is long.

        Temporal refuses the end of a run when a result has arrived meanwhile, and the worker then replays the
        whole history. Short histories replay in less time than the wait would take.
        """
        is_long = workflow.info().get_current_history_length() > LONG_HISTORY
        if self._is_delivering and self._awaits_delivery and is_long:
            self._is_settling = True
            await wait_until(lambda: not self._is_delivering, FINAL_DELIVERY_TIMEOUT)
            self._is_settling = False

    def _on_activity_done(self, _handle: object) -> None:
        self._pending_activities -= 1
        if self._pending_activities == 0 and self._events:
            self._schedule_flush()

    def _on_local_activity_done(self, _handle: object) -> None:
        self._pending_local_activities -= 1
        if self._pending_local_activities == 0 and self._events:
            self._schedule_flush()

    def _schedule_flush(self) -> None:
        if not self._intake_closed and (self._flush_task is None or self._flush_task.done()):
            self._flush_task = asyncio.create_task(self._flush(), name="signalbox outbox")

    async def _flush(self) -> None:
        # Other work of this workflow task may add events, or start an activity that carries them.
        await wait_until_idle()
        if self.waits_for_reaction:
            # The first wait ended together with those of the workflow.
            await wait_until_idle()
        while not self._intake_closed and self._needs_delivery():
            batch = next(batches(self._events))
            self._is_delivering = True
            delivered = await _execute_delivery(batch)
            self._awaits_delivery = delivered is not None and delivered.is_awaited
            self._is_delivering = False
            self._confirm(len(batch))

    def _confirm(self, count: int) -> None:
        if not self._intake_closed or self._is_settling:
            del self._events[:count]
            self._piggybacked = max(0, self._piggybacked - count)

    def _needs_delivery(self) -> bool:
        """Whether an event has no carrier, nothing will wake the workflow, or too much is unconfirmed."""
        if self._pending_local_activities or self._is_delivering or self._is_flush_deferred:
            return False
        return bool(self._events) and (
            self._piggybacked < len(self._events)
            or self._pending_activities == 0
            or len(self._events) > MAX_UNCONFIRMED
        )


@workflow.defn(name=OUTBOX)
class OutboxWorkflow:
    """Delivers the remaining events of a closed run and retries until they are accepted."""

    @workflow.run
    async def run(self, batch: EventBatch) -> None:
        for part in batches(batch.events):
            await _execute_delivery(part, batch.approved)


async def start_outbox_children(events: Sequence[CloudEvent]) -> None:
    """Start child workflows that deliver the events.

    They run on the run's own task queue, whose workers register them, and outlive the run.
    """
    run_id = workflow.info().workflow_id
    for number, part in enumerate(batches(events), start=1):
        child_id = f"{run_id}/outbox" if number == 1 else f"{run_id}/outbox-{number}"
        try:
            await _start_child(child_id, part)
        except WorkflowAlreadyStartedError:
            # The child of an earlier execution of this run is still delivering.
            await _start_child(f"{child_id}/{workflow.info().run_id}", part)


async def _execute_delivery(
    batch: tuple[CloudEvent, ...], approved: Collection[str] = ()
) -> Delivered | None:
    delivered: Delivered | None = await workflow.execute_activity(
        DELIVER,
        batch_of(batch, approved=approved),
        result_type=Delivered | None,  # type: ignore[arg-type]
        start_to_close_timeout=_ATTEMPT_TIMEOUT,
        retry_policy=_RETRY,
        priority=_HIGHEST_PRIORITY,
    )
    return delivered


async def _start_child(child_id: str, part: tuple[CloudEvent, ...]) -> None:
    await workflow.start_child_workflow(
        OUTBOX,
        batch_of(part),
        id=child_id,
        parent_close_policy=workflow.ParentClosePolicy.ABANDON,
        cancellation_type=workflow.ChildWorkflowCancellationType.ABANDON,
    )
