"""Milestones that came along with an activity, on their way to the receiver in the background.

Their runs keep them until a delivery of their own confirms them, so what is dropped here is late, not lost.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from signalbox_core.errors import Unavailable
from signalbox_core.events import CloudEvent

log = logging.getLogger(__name__)

MAX_WAITING: Final = 1_000
"""Batches; a 1,001st is left to its run."""
SENDERS: Final = 8
FLUSH_S: Final = 2.0
_FIRST_WAIT_S: Final = 0.25
_LONGEST_WAIT_S: Final = 5.0


class Forwarding:
    """A bounded queue and its senders; `put` never waits and belongs to the event loop's thread."""

    def __init__(self, deliver: Callable[[Sequence[CloudEvent]], Awaitable[None]]) -> None:
        self._deliver = deliver
        self._queue: asyncio.Queue[Sequence[CloudEvent]] = asyncio.Queue(MAX_WAITING)
        self._chance = random.Random()

    def put(self, events: Sequence[CloudEvent]) -> None:
        try:
            self._queue.put_nowait(events)
        except asyncio.QueueFull:
            log.warning("events left to their run", extra={"run_id": events[0].runid, "count": len(events)})

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(SENDERS):
                group.create_task(self._send())

    async def flush(self) -> None:
        """Wait until nothing is left, two seconds at most."""
        try:
            async with asyncio.timeout(FLUSH_S):
                await self._queue.join()
        except TimeoutError:
            log.info("events left to their runs", extra={"batches": self._queue.qsize()})

    async def _send(self) -> None:
        while True:
            events = await self._queue.get()
            try:
                await self._until_delivered(events)
            except Exception:
                log.exception("events left to their run")
            finally:
                self._queue.task_done()

    async def _until_delivered(self, events: Sequence[CloudEvent]) -> None:
        wait = _FIRST_WAIT_S
        while True:
            try:
                return await self._deliver(events)
            except Unavailable:
                await asyncio.sleep(self._chance.uniform(wait / 2, wait))
                wait = min(_LONGEST_WAIT_S, wait * 2)
