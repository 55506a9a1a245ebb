"""A subscriber's messages in flight: each ordering key is handled in order, different keys concurrently."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec

from signalbox_core.pubsub.ack_batcher import AckBatcher
from signalbox_core.pubsub.dispatch import DispatchOutcome, MessageHandler, PulledMessage

Observe = Callable[[DispatchOutcome], None]

# Messages of a failed key that were sent before the server received the nack arrive within this time.
_STALE_S: Final = 1.0


class SubscriberLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Concurrency, flow control and timeouts of a subscriber.

    Attributes:
        concurrency: handlers running at once.
        handler_s: a handler that takes longer is cancelled, and its message is redelivered.
        max_outstanding: messages in flight; at twice that number, reading pauses (backpressure).
        lease_s: the server redelivers a message that was neither settled nor extended for this long (10 to
            600). After a crash, its messages and their ordering keys are blocked for this long.
        keeps_order: a message is handled after the earlier ones of its ordering key. Otherwise its handler
            starts after theirs, and need not wait for them.
    """

    concurrency: int = 16
    handler_s: float = 300.0
    max_outstanding: int = 1_000
    lease_s: int = 20
    keeps_order: bool = True


class _Inflight:
    """One message in flight; a redelivery of it only renews its acknowledgement id."""

    def __init__(self, message: PulledMessage, ack_id: str) -> None:
        self.message = message
        self.ack_id = ack_id


class InflightMessages:
    """Holds messages from their arrival until they are acknowledged or released for redelivery."""

    def __init__(
        self, handler: MessageHandler, batcher: AckBatcher, *, limits: SubscriberLimits, observe: Observe
    ) -> None:
        self._handler = handler
        self._batcher = batcher
        self._slots = asyncio.Semaphore(limits.concurrency)
        self._observe = observe
        self._inflight: dict[str, _Inflight] = {}
        self._lanes: dict[str, deque[_Inflight]] = {}
        self._failed: dict[str, tuple[str, float]] = {}
        self._settled = asyncio.Event()

    def add(self, message: PulledMessage, ack_id: str, *, is_ordered: bool, tasks: asyncio.TaskGroup) -> None:
        """Take one message; its handler runs in `tasks`.

        A message that is already in flight is deduplicated.
        """
        known = self._inflight.get(message.message_id)
        if known is not None:
            known.ack_id = ack_id
            return
        key = message.ordering_key if is_ordered else ""
        if key and self._is_stale(key, message.message_id):
            self._batcher.modify_deadline(ack_id, 0)
            return
        entry = self._inflight[message.message_id] = _Inflight(message, ack_id)
        if not key:
            tasks.create_task(self._settle(entry))
        elif key in self._lanes:
            self._lanes[key].append(entry)
        else:
            self._lanes[key] = deque([entry])
            tasks.create_task(self._drain(key))

    async def wait_for_capacity(self, limit: int) -> None:
        """Wait until fewer than `limit` messages are in flight."""
        while len(self._inflight) >= limit:
            self._settled.clear()
            await self._settled.wait()

    def extend_leases(self, seconds: int) -> None:
        for entry in self._inflight.values():
            self._batcher.modify_deadline(entry.ack_id, seconds)

    def release_all(self) -> None:
        """At shutdown: nack what was not settled, so that another subscriber receives it at once."""
        for entry in self._inflight.values():
            self._batcher.modify_deadline(entry.ack_id, 0)
        self._inflight.clear()

    async def _drain(self, key: str) -> None:
        lane = self._lanes[key]
        try:
            while lane:
                entry = lane.popleft()
                if not await self._settle(entry):
                    self._drop_following(key, entry, lane)
        finally:
            del self._lanes[key]

    async def _settle(self, entry: _Inflight) -> bool:
        """Run the handler, then acknowledge or nack. Return whether the outcome is final."""
        async with self._slots:
            outcome = await self._handler(entry.message)
        if outcome.is_final:
            self._batcher.acknowledge(entry.ack_id)
        else:
            self._batcher.modify_deadline(entry.ack_id, 0)
        del self._inflight[entry.message.message_id]
        self._settled.set()
        self._observe(outcome)
        return outcome.is_final

    def _drop_following(self, key: str, failed: _Inflight, following: deque[_Inflight]) -> None:
        """Drop what follows a failed message: the server redelivers both, and order would break otherwise."""
        now = asyncio.get_running_loop().time()
        self._failed = {other: entry for other, entry in self._failed.items() if entry[1] > now}
        self._failed[key] = (failed.message.message_id, now + _STALE_S)
        for entry in following:
            del self._inflight[entry.message.message_id]
        following.clear()

    def _is_stale(self, key: str, message_id: str) -> bool:
        """Whether the message was sent before the server received the key's nack."""
        failed_id, until = self._failed.get(key, ("", 0.0))
        if message_id != failed_id and asyncio.get_running_loop().time() < until:
            return True
        self._failed.pop(key, None)
        return False
