"""The worker's emitter: milestones and domain events until they are accepted, progress as best effort."""

import asyncio
import logging
import random
import time
from collections.abc import Sequence
from functools import partial
from typing import Final

from msgspec import Raw, Struct
from msgspec.json import encode
from msgspec.structs import replace

from signalbox_core.bounded_dict import BoundedDict
from signalbox_core.errors import Unavailable
from signalbox_core.events import CloudEvent, catalogue, full_type
from signalbox_core.ids import derived_id
from signalbox_core.traces import Tracing
from signalbox_worker.event_batches import EventBatcher
from signalbox_worker.forward_queue import ForwardQueue, RunLocks
from signalbox_worker.metrics import WorkerMetrics
from signalbox_worker.progress import ProgressCoalescer, StepKey
from signalbox_worker.receiver_client import (
    FEW_ATTEMPTS,
    SINGLE_ATTEMPT,
    UNLIMITED,
    DeliveryRefused,
    ReceiverClient,
    RetryBudget,
    retry,
)

log = logging.getLogger(__name__)

MAX_PROGRESS_DELIVERIES: Final = 100
"""Steps whose progress is being delivered; they share requests."""
FORWARD_BUDGET: Final = RetryBudget(within_s=600.0)
"""For the events of pipelines: after an outage they arrive soon, and after a longer one with what the runs
deliver themselves."""
FLUSH_TIMEOUT_S: Final = 2.0
_MAX_DELIVERED_IDS: Final = 20_000
_MARKER: Final = "event.refused"


class HttpEmitter:
    """An `Emitter` (signalbox_core.pipeline.contract.emitter) over the receiver's HTTP interface."""

    def __init__(
        self, receiver: ReceiverClient, metrics: WorkerMetrics, tracing: Tracing | None = None
    ) -> None:
        self._batcher = EventBatcher(receiver, tracing)
        self._metrics = metrics
        self._progress = ProgressCoalescer()
        self._delivered = BoundedDict[str, None](_MAX_DELIVERED_IDS)
        self._request_locks = RunLocks()
        self._rng = random.Random()
        self._forwarded = ForwardQueue(self._forward_once, self._rng)
        self._wake = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def deliver(self, events: Sequence[CloudEvent]) -> None:
        """Deliver events of one run in order; those that this process delivered before are skipped."""
        # An earlier delivery of the run may wait for others to share its request.
        self._batcher.expedite(events[0])
        await self._deliver(events, FEW_ATTEMPTS)

    def forward(self, events: Sequence[CloudEvent]) -> None:
        """Deliver in the background.

        When the queue is full, the events stay with their run, which resends.
        """
        if not self._forwarded.try_add(events, FORWARD_BUDGET):
            extra = {"run_id": events[0].runid, "count": len(events)}
            log.warning("forwarding queue is full; the run will resend its events", extra=extra)

    def try_forward(self, events: Sequence[CloudEvent]) -> bool:
        """Deliver in the background, however long it takes, because nobody resends the events.

        Returns:
            False if the queue is full; then nothing is done.
        """
        return self._forwarded.try_add(events, UNLIMITED)

    async def announce(self, event: CloudEvent) -> None:
        try:
            await self._post([event], FEW_ATTEMPTS)
        except DeliveryRefused as error:
            # The event is the activity's result and must not be lost: the activity is retried, then fails.
            raise Unavailable(
                f"event {event.name} is not accepted: {error.detail}", code=error.stable_code
            ) from error

    def offer(self, event: CloudEvent, *, item: bool = False) -> None:
        if self._progress.offer(event, item=item) and self._loop is not None and not self._wake.is_set():
            self._loop.call_soon_threadsafe(self._wake.set)

    async def run(self) -> None:
        """Send progress and forward milestones until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._forwarded.run())
            group.create_task(self._send_progress())

    async def flush(self) -> None:
        """Wait up to two seconds for the forwarding queue to drain; pipelines' runs resend what is left."""
        try:
            async with asyncio.timeout(FLUSH_TIMEOUT_S):
                await self._forwarded.join()
        except TimeoutError:
            extra = {"batches": self._forwarded.count}
            log.info("forwarding queue not drained; runs of pipelines will resend their events", extra=extra)

    async def _deliver(
        self, events: Sequence[CloudEvent], budget: RetryBudget, *, can_wait: bool = False
    ) -> None:
        """Deliver under the run's lock, so that its batches arrive one after another."""
        async with self._request_locks.of(events[0]):
            undelivered = [event for event in events if event.id not in self._delivered]
            if undelivered:
                await self._deliver_batch(undelivered, budget, can_wait=can_wait)

    async def _deliver_batch(
        self, events: Sequence[CloudEvent], budget: RetryBudget, *, can_wait: bool = False
    ) -> None:
        """Split a refused batch into single events, so that only the invalid ones are replaced."""
        try:
            await self._post(events, budget, can_wait=can_wait)
        except DeliveryRefused as error:
            if len(events) > 1:
                for event in events:
                    await self._deliver_batch([event], budget)
                return
            await self._replace_refused(events[0], error, budget)
        self._delivered.update((event.id, None) for event in events)

    async def _post(
        self, events: Sequence[CloudEvent], budget: RetryBudget, *, can_wait: bool = False
    ) -> None:
        await retry(partial(self._batcher.deliver, events, can_wait=can_wait), budget, self._rng)
        self._metrics.add("events_delivered", len(events))

    async def _replace_refused(self, event: CloudEvent, error: DeliveryRefused, budget: RetryBudget) -> None:
        """Log the refused event, and deliver `event.refused` in its place, so that the stream has no gap."""
        self._metrics.add("events_refused")
        log.error(
            "receiver refused an event permanently; it remains only in the run's Temporal history",
            extra={
                "run_id": event.runid,
                "event": event.name,
                "event_id": event.id,
                "sequence": event.sequence,
                "detail": error.detail,
            },
        )
        if event.sequence is not None and event.name != _MARKER:
            await self._deliver_batch([_marker(event, error)], budget)

    async def _forward_once(self, events: Sequence[CloudEvent]) -> None:
        # Between attempts the run's lock is free, so `deliver` is not blocked.
        await self._deliver(events, SINGLE_ATTEMPT, can_wait=True)

    async def _send_progress(self) -> None:
        self._loop = asyncio.get_running_loop()
        permits = asyncio.Semaphore(MAX_PROGRESS_DELIVERIES)
        async with asyncio.TaskGroup() as senders:
            while True:
                await self._wait_until_due()
                for key, events in self._progress.take_due(time.monotonic()):
                    await permits.acquire()
                    senders.create_task(self._send(key, events, permits))

    async def _wait_until_due(self) -> None:
        while (due_at := self._progress.next_due_at()) is None or due_at > time.monotonic():
            self._wake.clear()
            # Read again after clearing: another thread may have offered an event in between.
            due_at = self._progress.next_due_at()
            timeout = None if due_at is None else max(0.0, due_at - time.monotonic())
            try:
                async with asyncio.timeout(timeout):
                    await self._wake.wait()
            except TimeoutError:
                return

    async def _send(self, key: StepKey, events: Sequence[CloudEvent], permits: asyncio.Semaphore) -> None:
        try:
            for event in events:
                await self._batcher.deliver([event])
                self._metrics.add("progress_sent")
        except (Unavailable, DeliveryRefused):
            self._metrics.add("progress_dropped")
        except Exception:
            # Best effort: a bug in sending progress must not stop the worker.
            log.exception("progress not sent")
        finally:
            permits.release()
            self._progress.mark_sent(key)
            self._wake.set()


def _marker(event: CloudEvent, error: DeliveryRefused) -> CloudEvent:
    data: Struct = catalogue.EventRefused(name=event.name, event_id=event.id, reason=error.detail[:500])
    return replace(
        event,
        id=derived_id(event.id, _MARKER),
        type=full_type(_MARKER),
        data=Raw(encode(data)),
        effectdigest=None,
    )
