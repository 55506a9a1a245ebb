"""The messages a subscriber holds: each key handled one at a time and in order, different keys at the same time."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec

from signalbox_core.pubsub.ack_batcher import Outgoing
from signalbox_core.pubsub.dispatch import Delivered, Handler, Outcome, handle

Observe = Callable[[Outcome], None]

# Messages of a failed key that were sent before the server heard of the failure arrive within this time.
_STALE_S: Final = 1.0


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much at a time, and for how long.

    Attributes:
        concurrency: handlers at a time.
        handler_s: a handler that takes longer is cancelled and its message comes again.
        max_outstanding: messages in hand; at twice that, reading stops until some are settled.
        lease_s: the server delivers again what was neither settled nor extended for so long (10 to 600); after a crash,
            this is how long its messages, and their ordering keys, wait.
    """

    concurrency: int = 16
    handler_s: float = 300.0
    max_outstanding: int = 1_000
    lease_s: int = 20


class _Held:
    """One message in hand; a second delivery of it only renews its acknowledgement id."""

    def __init__(self, delivered: Delivered, ack_id: str) -> None:
        self.delivered = delivered
        self.ack_id = ack_id


class InHand:
    """Holds deliveries from their arrival until they are settled."""

    def __init__(self, handler: Handler, outgoing: Outgoing, *, limits: Limits, observe: Observe) -> None:
        self._handler = handler
        self._outgoing = outgoing
        self._slots = asyncio.Semaphore(limits.concurrency)
        self._handler_s = limits.handler_s
        self._observe = observe
        self._held: dict[str, _Held] = {}
        self._lanes: dict[str, deque[_Held]] = {}
        self._failed: dict[str, tuple[str, float]] = {}
        self._settled = asyncio.Event()

    def accept(
        self, delivered: Delivered, ack_id: str, *, is_ordered: bool, tasks: asyncio.TaskGroup
    ) -> None:
        """Take one delivery in; its handler runs in `tasks`."""
        known = self._held.get(delivered.message_id)
        if known is not None:
            known.ack_id = ack_id
            return
        key = delivered.ordering_key if is_ordered else ""
        if key and self._is_stale(key, delivered.message_id):
            self._outgoing.set_deadline(ack_id, 0)
            return
        held = self._held[delivered.message_id] = _Held(delivered, ack_id)
        if not key:
            tasks.create_task(self._settle(held))
        elif key in self._lanes:
            self._lanes[key].append(held)
        else:
            self._lanes[key] = deque([held])
            tasks.create_task(self._drain(key))

    async def room(self, limit: int) -> None:
        """Wait until fewer than `limit` messages are in hand."""
        while len(self._held) >= limit:
            self._settled.clear()
            await self._settled.wait()

    def extend_leases(self, seconds: int) -> None:
        for held in self._held.values():
            self._outgoing.set_deadline(held.ack_id, seconds)

    def give_back_all(self) -> None:
        """At the end: whoever comes next gets at once what was not settled here."""
        for held in self._held.values():
            self._outgoing.set_deadline(held.ack_id, 0)
        self._held.clear()

    async def _drain(self, key: str) -> None:
        lane = self._lanes[key]
        try:
            while lane:
                held = lane.popleft()
                if not await self._settle(held):
                    self._fail(key, held, lane)
        finally:
            del self._lanes[key]

    async def _settle(self, held: _Held) -> bool:
        async with self._slots:
            outcome = await handle(self._handler, held.delivered, timeout_s=self._handler_s)
        if outcome.is_final:
            self._outgoing.acknowledge(held.ack_id)
        else:
            self._outgoing.set_deadline(held.ack_id, 0)
        del self._held[held.delivered.message_id]
        self._settled.set()
        self._observe(outcome)
        return outcome.is_final

    def _fail(self, key: str, failed: _Held, behind: deque[_Held]) -> None:
        """The server sends the failed message and everything behind it again: drop what is here, or order would break."""
        now = asyncio.get_running_loop().time()
        self._failed = {other: entry for other, entry in self._failed.items() if entry[1] > now}
        self._failed[key] = (failed.delivered.message_id, now + _STALE_S)
        for held in behind:
            del self._held[held.delivered.message_id]
        behind.clear()

    def _is_stale(self, key: str, message_id: str) -> bool:
        """Sent before the server heard that the key had failed. Giving it back changes nothing there."""
        failed_id, until = self._failed.get(key, ("", 0.0))
        if message_id != failed_id and asyncio.get_running_loop().time() < until:
            return True
        self._failed.pop(key, None)
        return False
