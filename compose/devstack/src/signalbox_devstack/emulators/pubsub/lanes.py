"""Ordering keys: which messages of a key may go to which consumer, and what a failure takes back."""

from collections import deque
from collections.abc import Callable
from typing import Final

from signalbox_devstack.emulators.pubsub.deliveries import Consumer, Delivery, Lane, State

# Clients on an emulator channel keep gRPC's 4 MiB receive limit; a larger response would kill their stream for ever.
MAX_RESPONSE_BYTES: Final = 3_500_000


class Batch:
    """What one consumer takes in one go, within its room and one response's size."""

    def __init__(self, consumer: Consumer, limit: int) -> None:
        self.consumer = consumer
        self.taken: list[Delivery] = []
        self._limit = limit
        self._bytes = 0

    def has_room(self) -> bool:
        return len(self.taken) < self._limit and self.consumer.has_room()

    def fits(self, delivery: Delivery) -> bool:
        return self.has_room() and (
            not self.taken or self._bytes + delivery.message.size_bytes < MAX_RESPONSE_BYTES
        )

    def add(self, delivery: Delivery) -> None:
        self.taken.append(delivery)
        self._bytes += delivery.message.size_bytes
        self.consumer.messages += 1
        self.consumer.bytes += delivery.message.size_bytes


class Lanes:
    """The lanes of one subscription. A lane stands in one queue at a time: its owner's, or the free one."""

    def __init__(self) -> None:
        self._lanes: dict[str, Lane] = {}
        self._free: deque[Lane] = deque()

    def enqueue(self, key: str, delivery: Delivery) -> None:
        lane = delivery.lane = self._lanes.get(key) or self._lanes.setdefault(key, Lane(key))
        lane.waiting.append(delivery)
        self.offer(lane)

    def offer(self, lane: Lane) -> None:
        """Stand the lane in the queue of whoever may take from it now; parked when that is nobody."""
        owner = lane.owner
        if not lane.waiting or (owner and (owner.closed or (owner.one_per_key and lane.sent))):
            return
        queue = owner.lanes if owner else self._free
        if lane.offered_to is not queue:
            lane.offered_to = queue
            queue.append(lane)

    def take(self, batch: Batch, now: float, lease: Callable[[Delivery, Batch], None]) -> None:
        """Fill the batch from the consumer's own lanes, then from free ones."""
        for queue in (batch.consumer.lanes, self._free):
            visited = []
            while queue and batch.has_room():
                lane = queue.popleft()
                if lane.offered_to is not queue:
                    continue
                lane.offered_to = None
                if lane.blocked_until_s <= now:
                    visited.append(lane)
                    self._take_from(lane, batch, lease)
            for lane in visited:
                self.offer(lane)

    def settle(self, lane: Lane, delivery: Delivery, *, at_once: bool) -> list[Delivery]:
        """What an acknowledgement makes final: the acknowledged head of the lane, or this one `at_once`."""
        final = []
        if at_once and delivery.number in lane.sent:
            final.append(lane.sent.pop(delivery.number))
        while lane.sent and (first := next(iter(lane.sent.values()))).acked:
            final.append(lane.sent.pop(first.number))
        self.free_if_drained(lane)
        return final

    def free_if_drained(self, lane: Lane) -> None:
        if lane.sent:
            return
        lane.owner = None
        if lane.waiting:
            self.offer(lane)
        else:
            self._lanes.pop(lane.key, None)

    def rewind(self, lane: Lane, first: Delivery) -> list[Delivery]:
        """Everything of the key from `first` on comes again, acknowledged or not: order before economy."""
        back = [delivery for delivery in reversed(lane.sent.values()) if delivery.number >= first.number]
        for delivery in back:
            del lane.sent[delivery.number]
            delivery.lease += 1
            delivery.acked = False
            delivery.state = State.READY
            lane.waiting.appendleft(delivery)
        if not lane.sent:
            lane.owner = None
        return back

    def abandon(self, consumer: Consumer) -> None:
        """The consumer is gone: what it never took is free for others; what it holds stays its until settled."""
        lanes = [lane for lane in consumer.lanes if lane.offered_to is consumer.lanes]
        consumer.lanes.clear()
        for lane in lanes:
            lane.offered_to = None
            if not lane.sent:
                lane.owner = None
            self.offer(lane)

    def clear(self) -> None:
        self._lanes.clear()
        self._free.clear()

    @staticmethod
    def _take_from(lane: Lane, batch: Batch, lease: Callable[[Delivery, Batch], None]) -> None:
        while lane.waiting and batch.fits(lane.waiting[0]):
            lane.owner = batch.consumer
            delivery = lane.waiting.popleft()
            lane.sent[delivery.number] = delivery
            lease(delivery, batch)
            if batch.consumer.one_per_key:
                return
