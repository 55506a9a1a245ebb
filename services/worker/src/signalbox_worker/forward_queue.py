"""Events that are delivered in the background: those of a run in order, and every run independently.

A run whose events the receiver does not accept, such as one of a tenant that its key may not send for, waits
for its next attempt without taking the place of another run.
"""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final
from weakref import WeakValueDictionary

from msgspec import Struct

from signalbox_core.events import CloudEvent
from signalbox_core.ids import run_key
from signalbox_worker.receiver_client import RetryBudget, retry

log = logging.getLogger(__name__)

MAX_BATCHES: Final = 10_000
MAX_TENANT_BATCHES: Final = 1_000
MAX_ATTEMPTS: Final = 100
"""Attempts in flight; they share requests."""

Attempt = Callable[[Sequence[CloudEvent]], Awaitable[None]]


class _Forward(Struct, frozen=True):
    """Events of one run, and how long their delivery is retried."""

    events: Sequence[CloudEvent]
    budget: RetryBudget


class ForwardQueue:
    """The batches that wait or are being delivered.

    Args:
        attempt: makes one attempt to deliver events of one run.
    """

    def __init__(self, attempt: Attempt, rng: random.Random) -> None:
        self._attempt = attempt
        self._rng = rng
        self._queue: asyncio.Queue[_Forward] = asyncio.Queue()
        self._counts: Counter[str] = Counter()
        self._locks = RunLocks()
        self._attempts = asyncio.Semaphore(MAX_ATTEMPTS)

    @property
    def count(self) -> int:
        """How many batches are not delivered yet."""
        return self._counts.total()

    def try_add(self, events: Sequence[CloudEvent], budget: RetryBudget) -> bool:
        """Add events of one run; returns False if the queue is full, for all or for their tenant."""
        tenant = events[0].tenantid
        if self.count >= MAX_BATCHES or self._counts[tenant] >= MAX_TENANT_BATCHES:
            return False
        self._counts[tenant] += 1
        self._queue.put_nowait(_Forward(events, budget))
        return True

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                group.create_task(self._deliver(await self._queue.get()))

    async def join(self) -> None:
        """Wait until every batch is delivered or given up."""
        await self._queue.join()

    async def _deliver(self, forward: _Forward) -> None:
        events = forward.events
        try:
            # Batches of a run stay in order. Its awaited deliveries do not wait for this lock.
            async with self._locks.of(events[0]):
                await retry(partial(self._attempt_once, events), forward.budget, self._rng)
        except Exception:
            log.exception("events not forwarded; a run of a pipeline will resend them")
        finally:
            self._counts[events[0].tenantid] -= 1
            self._queue.task_done()

    async def _attempt_once(self, events: Sequence[CloudEvent]) -> None:
        async with self._attempts:
            await self._attempt(events)


class RunLocks:
    """One lock per run, kept while anyone holds or awaits it."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def of(self, event: CloudEvent) -> asyncio.Lock:
        return self._locks.setdefault(run_key(event.tenantid, event.runid), asyncio.Lock())
