"""The worker's emitter: milestones and domain events until accepted, progress as it can. Everything signed, over kept-alive HTTP."""

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Final
from weakref import WeakValueDictionary

from msgspec import Raw, Struct
from msgspec.json import encode
from msgspec.structs import replace

from signalbox_core.bounded_dict import BoundedDict
from signalbox_core.errors import InvalidInput, Unavailable
from signalbox_core.events import CloudEvent, catalogue, encode_event, full_type
from signalbox_core.events.envelope import BATCH_CONTENT_TYPE, CONTENT_TYPE
from signalbox_core.ids import derived_id
from signalbox_worker.counters import Counters
from signalbox_worker.forwarding import Forwarding
from signalbox_worker.posting import Poster, Refused
from signalbox_worker.progress import Board, Key

log = logging.getLogger(__name__)

MAX_SENDERS: Final = 8
"""Progress requests under way at once."""
_MAX_DELIVERED_IDS: Final = 20_000


class HttpEmitter:
    """An `Emitter` (signalbox_core.pipeline.contract.emitter) over the receiver's HTTP interface."""

    def __init__(self, poster: Poster, counters: Counters) -> None:
        self._poster = poster
        self._counters = counters
        self._board = Board()
        self._delivered = BoundedDict[str, None](_MAX_DELIVERED_IDS)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._forwarding = Forwarding(self.deliver)
        self._wake = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def deliver(self, events: Sequence[CloudEvent]) -> None:
        """Deliver in one request, a run's deliveries one after another; what this process has delivered before is skipped."""
        turn = self._turns.setdefault(events[0].runid, asyncio.Lock())
        async with turn:
            fresh = [event for event in events if event.id not in self._delivered]
            if fresh:
                await self._deliver(fresh)

    async def _deliver(self, events: Sequence[CloudEvent]) -> None:
        """When a batch is refused, its events go one by one, so that a bad one costs only itself."""
        try:
            await self._post(events)
        except Refused as error:
            if len(events) > 1:
                for event in events:
                    await self._deliver([event])
                return
            await self._dead_letter(events[0], error)
        self._delivered.update((event.id, None) for event in events)

    def forward(self, events: Sequence[CloudEvent]) -> None:
        self._forwarding.put(events)

    async def announce(self, event: CloudEvent) -> None:
        try:
            await self._post([event])
        except Refused as error:
            # The activity is tried again and then fails: its event is its result, and may not vanish.
            raise Unavailable(
                f"event {event.name} is not accepted: {error.detail}", code=error.stable_code
            ) from error

    def offer(self, event: CloudEvent, *, item: bool = False) -> None:
        if self._board.put(event, item=item) and self._loop is not None and not self._wake.is_set():
            self._loop.call_soon_threadsafe(self._wake.set)

    async def run(self) -> None:
        """Send progress and forward milestones until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._forwarding.run())
            group.create_task(self._send_progress())

    async def flush(self) -> None:
        """Give what is being forwarded a moment; what is then left stays with its runs."""
        await self._forwarding.flush()

    async def _send_progress(self) -> None:
        self._loop = asyncio.get_running_loop()
        free = asyncio.Semaphore(MAX_SENDERS)
        async with asyncio.TaskGroup() as senders:
            while True:
                await self._until_due()
                for key, events in self._board.take(time.monotonic()):
                    await free.acquire()
                    senders.create_task(self._send(key, events, free))

    async def _until_due(self) -> None:
        while (at := self._board.next_at()) is None or at > time.monotonic():
            self._wake.clear()
            # Looked at again after clearing: an offer may have come from another thread in between.
            at = self._board.next_at()
            timeout = None if at is None else max(0.0, at - time.monotonic())
            try:
                async with asyncio.timeout(timeout):
                    await self._wake.wait()
            except TimeoutError:
                return

    async def _send(self, key: Key, events: Sequence[CloudEvent], free: asyncio.Semaphore) -> None:
        try:
            for event in events:
                await self._poster.post(encode_event(event), CONTENT_TYPE, tries=1)
                self._counters.add("progress_sent")
        except (Unavailable, Refused, InvalidInput):
            self._counters.add("progress_dropped")
        except Exception:
            # Best effort: a bug here may cost a progress bar, never the worker.
            log.exception("progress not sent")
        finally:
            free.release()
            self._board.sent(key)
            self._wake.set()

    async def _post(self, events: Sequence[CloudEvent]) -> None:
        try:
            bodies = [encode_event(event) for event in events]
        except InvalidInput as error:
            raise Refused(error.detail) from error
        if len(bodies) == 1:
            await self._poster.post(bodies[0], CONTENT_TYPE)
        else:
            await self._poster.post(b"[" + b",".join(bodies) + b"]", BATCH_CONTENT_TYPE)
        self._counters.add("events_delivered", len(events))

    async def _dead_letter(self, event: CloudEvent, error: Refused) -> None:
        """Say loudly what was lost, and put a marker with its sequence in its place, so that the run's stream has no gap."""
        self._counters.add("events_refused")
        log.error(
            "event refused for good; it is only in the run's Temporal history",
            extra={
                "run_id": event.runid,
                "event": event.name,
                "event_id": event.id,
                "sequence": event.sequence,
                "detail": error.detail,
            },
        )
        if event.sequence is None or event.name == _MARKER:
            return
        await self._deliver([_marker(event, error)])


_MARKER: Final = "event.refused"


def _marker(event: CloudEvent, error: Refused) -> CloudEvent:
    data: Struct = catalogue.EventRefused(name=event.name, event_id=event.id, reason=error.detail[:500])
    return replace(event, id=derived_id(event.id, _MARKER), type=full_type(_MARKER), data=Raw(encode(data)))
