"""Batches events of many runs: what waits while a request is in flight shares the next one.

A request holds events of one tenant, at most one group of each run, and either milestones or progress: a
milestone's response waits for Pub/Sub, which must not delay progress.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from signalbox_core.bounded_dict import BoundedDict
from signalbox_core.errors import InvalidInput, SignalboxError, Unavailable
from signalbox_core.events import CATALOGUE, CloudEvent, EventKind, encode_event
from signalbox_core.events.envelope import BATCH_CONTENT_TYPE, CONTENT_TYPE, EventResult
from signalbox_core.traces import SpanKind, TraceContext, Tracing, parse_traceparent
from signalbox_worker.receiver_client import (
    DeliveryRefused,
    DeliveryTimedOut,
    ReceiverClient,
)

log = logging.getLogger(__name__)

MAX_BATCH_EVENTS: Final = 100
MAX_BATCH_BYTES: Final = 1_000_000
MAX_REQUESTS: Final = 4
"""Requests in flight per tenant and kind."""
MIN_INTERVAL_S: Final = 0.01
"""Between the starts of two requests that are in flight together."""
LINGER_S: Final = 0.02
"""How long events wait for company when nobody awaits their delivery."""
BUSY_INTERVAL_S: Final = 0.1
"""How long after the start of the previous request they wait at least, if that request had several groups."""
ALONE_S: Final = 30.0
"""How long a run's events travel alone after a request with them timed out."""
_MAX_SUSPECTS: Final = 10_000


@dataclass(kw_only=True)
class _Group:
    """The events of one `deliver` call."""

    run_id: str
    bodies: Sequence[bytes]
    due_at: float
    trace: TraceContext | None = None
    accepted: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def size_bytes(self) -> int:
        return sum(map(len, self.bodies)) + len(self.bodies)

    def settle(self, error: SignalboxError | None) -> None:
        """Report the result to the caller, who may have been cancelled."""
        if self.accepted.done():
            return
        if error is None:
            self.accepted.set_result(None)
        else:
            self.accepted.set_exception(error)


class EventBatcher:
    """Delivers groups of events to the receiver; it keeps no event whose caller was cancelled."""

    def __init__(self, receiver: ReceiverClient, tracing: Tracing | None = None) -> None:
        self._receiver = receiver
        self._tracing = tracing or Tracing()
        self._lanes: dict[tuple[str, bool], _Lane] = {}

    async def deliver(self, events: Sequence[CloudEvent], *, can_wait: bool = False) -> None:
        """Deliver events of one run in order, in one attempt.

        Args:
            can_wait: nobody waits for this delivery, so it may wait for others to share a request.

        Raises:
            DeliveryRefused: one of the events is invalid; none of them was accepted.
            Unavailable: they were not accepted now.
        """
        try:
            bodies = [encode_event(event) for event in events]
        except InvalidInput as error:
            raise DeliveryRefused(error.detail) from error
        now = time.monotonic()
        trace = parse_traceparent(events[0].traceparent)
        group = _Group(run_id=events[0].runid, bodies=bodies, due_at=now, trace=trace)
        await self._lane(events[0]).deliver(group, can_wait=can_wait)

    def expedite(self, event: CloudEvent) -> None:
        """Send what waits for company in this event's lane: a delivery of its run is being awaited."""
        self._lane(event).expedite()

    def _lane(self, event: CloudEvent) -> "_Lane":
        kind = CATALOGUE.get(event.name)
        key = (event.tenantid, kind is not None and kind.kind is EventKind.PROGRESS)
        if key not in self._lanes:
            self._lanes[key] = _Lane(self._receiver, self._tracing)
        return self._lanes[key]


class _Lane:
    """The groups of one tenant and kind that wait, and the requests in flight."""

    def __init__(self, receiver: ReceiverClient, tracing: Tracing) -> None:
        self._receiver = receiver
        self._tracing = tracing
        self._waiting: list[_Group] = []
        self._requests: set[asyncio.Task[None]] = set()
        self._started_at = float("-inf")
        self._is_busy = False
        self._timer: asyncio.TimerHandle | None = None
        self._fires_at = 0.0
        self._suspects = BoundedDict[str, float](_MAX_SUSPECTS)

    async def deliver(self, group: _Group, *, can_wait: bool) -> None:
        if can_wait:
            group.due_at += LINGER_S
            if self._is_busy:
                group.due_at = max(group.due_at, self._started_at + BUSY_INTERVAL_S)
        self._waiting.append(group)
        self._schedule()
        await group.accepted

    def expedite(self) -> None:
        now = time.monotonic()
        for group in self._waiting:
            group.due_at = min(group.due_at, now)
        self._schedule()

    def _schedule(self) -> None:
        """Send when the first group is due and another request may start."""
        if not self._waiting or len(self._requests) >= MAX_REQUESTS:
            return
        now = time.monotonic()
        due_at = min(group.due_at for group in self._waiting)
        if self._requests:
            due_at = max(due_at, self._started_at + MIN_INTERVAL_S)
        due_at = max(due_at, now)
        if self._timer is not None:
            if self._fires_at <= due_at:
                return
            self._timer.cancel()
        # Not at once even without a delay: what is delivered in the same tick of the loop shares the request.
        self._timer = asyncio.get_running_loop().call_later(due_at - now, self._start_request)
        self._fires_at = due_at

    def _start_request(self) -> None:
        self._timer = None
        batch, self._waiting = take_batch(self._waiting, self._is_suspect)
        if batch:
            self._started_at, self._is_busy = time.monotonic(), len(batch) > 1
            request = asyncio.get_running_loop().create_task(self._send(batch))
            self._requests.add(request)
            request.add_done_callback(self._on_done)
        self._schedule()

    def _on_done(self, request: asyncio.Task[None]) -> None:
        self._requests.discard(request)
        if not request.cancelled():
            self._schedule()

    def _is_suspect(self, run_id: str) -> bool:
        return self._suspects.get(run_id, 0.0) > time.monotonic()

    async def _send(self, batch: Sequence[_Group]) -> None:
        """Send a batch and settle each group."""
        try:
            results = await self._post(batch)
        except DeliveryRefused as error:
            if len(batch) > 1:
                # Refused as a whole, by a receiver that takes one run at a time, for example.
                for group in batch:
                    await self._send([group])
                return
            batch[0].settle(error)
        except DeliveryTimedOut as error:
            # One run that cannot be published must not hold up the others again.
            until = time.monotonic() + ALONE_S
            self._suspects.update((group.run_id, until) for group in batch)
            _settle_all(batch, error)
        except SignalboxError as error:
            _settle_all(batch, error)
        except Exception as bug:
            log.exception("delivery failed unexpectedly")
            _settle_all(batch, Unavailable(f"the delivery failed: {type(bug).__name__}"))
        else:
            self._settle_each(batch, results)
        finally:
            _settle_all(batch, Unavailable("the delivery was interrupted"))

    async def _post(self, batch: Sequence[_Group]) -> Sequence[EventResult]:
        bodies = [body for group in batch for body in group.bodies]
        traces = [group.trace for group in batch if group.trace is not None]
        if not traces:
            return await self._request(bodies)
        # One request for several runs: a span of the first one's trace, with links to the others.
        with self._tracing.span(
            "send events", parent=traces[0], kind=SpanKind.PRODUCER, links=traces[1:]
        ) as span:
            if span is not None:
                span.set({"signalbox.events": len(bodies), "signalbox.runs": len(batch)})
            return await self._request(bodies)

    async def _request(self, bodies: Sequence[bytes]) -> Sequence[EventResult]:
        if len(bodies) == 1:
            return await self._receiver.post(bodies[0], CONTENT_TYPE)
        return await self._receiver.post(b"[" + b",".join(bodies) + b"]", BATCH_CONTENT_TYPE)

    def _settle_each(self, batch: Sequence[_Group], results: Sequence[EventResult]) -> None:
        """Settle each group by the result of its first event: a run's events are accepted together."""
        if not results:
            _settle_all(batch, None)
            return
        first = 0
        for group in batch:
            last = first + len(group.bodies) - 1
            # A group without its results is sent again, which is safe.
            group.settle(
                self._receiver.error_of(results[first])
                if last < len(results)
                else Unavailable("the receiver's response lacks the result of an event")
            )
            first = last + 1


def take_batch(
    waiting: Sequence[_Group], is_suspect: Callable[[str], bool]
) -> tuple[list[_Group], list[_Group]]:
    """Choose the groups of the next request.

    Returns:
        The groups to send, at most one of each run and a suspect run's alone, and those that stay.
    """
    batch: list[_Group] = []
    kept: list[_Group] = []
    runs: set[str] = set()
    count = size = 0
    is_full = False
    for group in waiting:
        if group.accepted.cancelled():
            continue
        count_with, size_with = count + len(group.bodies), size + group.size_bytes
        is_alone = is_suspect(group.run_id)
        fits = count_with <= MAX_BATCH_EVENTS and size_with <= MAX_BATCH_BYTES and group.run_id not in runs
        if batch and (is_full or is_alone or not fits):
            kept.append(group)
            continue
        batch.append(group)
        runs.add(group.run_id)
        count, size, is_full = count_with, size_with, is_alone
    return batch, kept


def _settle_all(batch: Sequence[_Group], error: SignalboxError | None) -> None:
    for group in batch:
        group.settle(error)
