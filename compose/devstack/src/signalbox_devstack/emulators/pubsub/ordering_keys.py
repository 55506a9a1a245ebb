"""Ordering keys: which consumer receives the messages of a key, and what is redelivered after a failure."""

from collections import deque
from collections.abc import Callable
from typing import Final

from signalbox_devstack.emulators.pubsub.deliveries import Consumer, Delivery, DeliveryState, KeyQueue

# Clients of an emulator keep gRPC's receive limit of 4 MiB; a larger response would break their stream for
# good.
MAX_RESPONSE_BYTES: Final = 3_500_000


class LeaseBatch:
    """The messages leased to one consumer at once, within its flow-control limits and the size of one
    response.
    """

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


class KeyQueues:
    """The key queues of one subscription.

    Each is offered to its owner, or to every consumer if it has none.
    """

    def __init__(self) -> None:
        self._key_queues: dict[str, KeyQueue] = {}
        self._free: deque[KeyQueue] = deque()

    def enqueue(self, key: str, delivery: Delivery) -> None:
        key_queue = delivery.key_queue = self._key_queues.get(key) or self._key_queues.setdefault(
            key, KeyQueue(key)
        )
        key_queue.waiting.append(delivery)
        self.offer(key_queue)

    def offer(self, key_queue: KeyQueue) -> None:
        """Offer the key queue to the consumers that can receive from it now, if any."""
        owner = key_queue.owner
        if not key_queue.waiting or (
            owner and (owner.closed or (owner.one_at_a_time_per_key and key_queue.sent))
        ):
            return
        queue = owner.key_queues if owner else self._free
        if key_queue.offered_to is not queue:
            key_queue.offered_to = queue
            queue.append(key_queue)

    def take(self, batch: LeaseBatch, now: float, lease: Callable[[Delivery, LeaseBatch], None]) -> None:
        """Fill the batch from the consumer's own key queues, then from free ones."""
        for queue in (batch.consumer.key_queues, self._free):
            visited = []
            while queue and batch.has_room():
                key_queue = queue.popleft()
                if key_queue.offered_to is not queue:
                    continue
                key_queue.offered_to = None
                if key_queue.blocked_until_s <= now:
                    visited.append(key_queue)
                    self._take_from(key_queue, batch, lease)
            for key_queue in visited:
                self.offer(key_queue)

    def settle(self, key_queue: KeyQueue, delivery: Delivery, *, immediately: bool) -> list[Delivery]:
        """The deliveries that are final after an acknowledgement.

        These are the acknowledged ones at the head of the key queue, and with `immediately` this one in any
        case.
        """
        final = []
        if immediately and delivery.number in key_queue.sent:
            final.append(key_queue.sent.pop(delivery.number))
        while key_queue.sent and (first := next(iter(key_queue.sent.values()))).acked:
            final.append(key_queue.sent.pop(first.number))
        self.release_if_drained(key_queue)
        return final

    def release_if_drained(self, key_queue: KeyQueue) -> None:
        if key_queue.sent:
            return
        key_queue.owner = None
        if key_queue.waiting:
            self.offer(key_queue)
        else:
            self._key_queues.pop(key_queue.key, None)

    def rewind(self, key_queue: KeyQueue, first: Delivery) -> list[Delivery]:
        """Make everything of the key from `first` on ready again, even if acknowledged, to preserve the
        order.
        """
        back = [delivery for delivery in reversed(key_queue.sent.values()) if delivery.number >= first.number]
        for delivery in back:
            del key_queue.sent[delivery.number]
            delivery.lease += 1
            delivery.acked = False
            delivery.state = DeliveryState.READY
            key_queue.waiting.appendleft(delivery)
        if not key_queue.sent:
            key_queue.owner = None
        return back

    def remove_consumer(self, consumer: Consumer) -> None:
        """Reassign a removed consumer's keys, except those with messages that it has not settled."""
        key_queues = [
            key_queue for key_queue in consumer.key_queues if key_queue.offered_to is consumer.key_queues
        ]
        consumer.key_queues.clear()
        for key_queue in key_queues:
            key_queue.offered_to = None
            if not key_queue.sent:
                key_queue.owner = None
            self.offer(key_queue)

    def clear(self) -> None:
        self._key_queues.clear()
        self._free.clear()

    @staticmethod
    def _take_from(
        key_queue: KeyQueue, batch: LeaseBatch, lease: Callable[[Delivery, LeaseBatch], None]
    ) -> None:
        while key_queue.waiting and batch.fits(key_queue.waiting[0]):
            key_queue.owner = batch.consumer
            delivery = key_queue.waiting.popleft()
            key_queue.sent[delivery.number] = delivery
            lease(delivery, batch)
            if batch.consumer.one_at_a_time_per_key:
                return
