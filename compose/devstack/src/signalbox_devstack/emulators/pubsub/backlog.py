"""The undelivered messages of one subscription: leases, acknowledgements, failures.

Pure: time is an argument.
"""

from collections import deque
from collections.abc import Iterable
from itertools import count
from typing import Final, Protocol

from signalbox_devstack.emulators.pubsub.deadlines import DeadlineHeap
from signalbox_devstack.emulators.pubsub.deliveries import (
    Consumer,
    Delivery,
    DeliveryState,
    KeyQueue,
    StoredMessage,
)
from signalbox_devstack.emulators.pubsub.delivery_policy import DeliveryPolicy
from signalbox_devstack.emulators.pubsub.errors import invalid_ack_ids
from signalbox_devstack.emulators.pubsub.ordering_keys import KeyQueues, LeaseBatch

MAX_RESPONSE_MESSAGES: Final = 500
_CONFIRMED_KEPT: Final = 10_000


class DeliveryEffects(Protocol):
    """Callbacks through which a backlog changes the rest of the server."""

    def finished(self, message: StoredMessage) -> None: ...

    def failed(self, delivery: Delivery) -> None: ...

    def dead_letter(self, delivery: Delivery) -> bool:
        """Forward the message; False if the dead-letter topic does not exist: the message is retained."""
        ...


class SubscriptionBacklog:
    """The state machine of deliveries: ready → leased → done, or back to ready, with a backoff if one is
    configured.
    """

    def __init__(self, policy: DeliveryPolicy, effects: DeliveryEffects, boot: int = 1) -> None:
        self.policy = policy
        self.deliveries: dict[int, Delivery] = {}
        self.consumers: set[Consumer] = set()
        self.deadlines = DeadlineHeap()
        self._effects = effects
        self._boot = boot
        # Never reset: an acknowledgement id from before a seek must not match a lease after it.
        self._leases = count(1)
        self._ready: deque[Delivery] = deque()
        self._key_queues = KeyQueues()
        self._confirmed: dict[str, None] = {}

    def add(self, message: StoredMessage, failures: int = 0) -> None:
        delivery = self.deliveries[message.number] = Delivery(message, failures)
        self._enqueue(delivery)

    def replace(self, messages: Iterable[StoredMessage]) -> None:
        """Drop all leases and hold exactly `messages`, oldest first (seek, detach)."""
        for delivery in self.deliveries.values():
            self._release(delivery)
            delivery.state = DeliveryState.DONE
        self.deliveries.clear()
        self._ready.clear()
        self._key_queues.clear()
        self.deadlines.clear()
        for consumer in self.consumers:
            consumer.key_queues.clear()
        for message in messages:
            self.add(message)
        self._wake_consumers()

    def take(self, consumer: Consumer, now: float, limit: int = MAX_RESPONSE_MESSAGES) -> list[Delivery]:
        """Lease the messages this consumer can receive now, up to `limit` and the size of one response."""

        def lease(delivery: Delivery, batch: LeaseBatch) -> None:
            delivery.state = DeliveryState.LEASED
            delivery.lease = next(self._leases)
            delivery.consumer = consumer
            delivery.deadline_s = now + consumer.ack_deadline_s
            self.deadlines.add(delivery.deadline_s, delivery)
            batch.add(delivery)

        batch = LeaseBatch(consumer, limit)
        self._key_queues.take(batch, now, lease)
        while self._ready and batch.fits(self._ready[0]):
            delivery = self._ready.popleft()
            if delivery.state is DeliveryState.READY:
                lease(delivery, batch)
        return batch.taken

    def ack_id(self, delivery: Delivery) -> str:
        return f"{self._boot}-{delivery.number}-{delivery.lease}"

    def remove_consumer(self, consumer: Consumer) -> None:
        """Remove a consumer. Its leases remain, because it can still acknowledge through another call."""
        self.consumers.discard(consumer)
        consumer.closed = True
        self._key_queues.remove_consumer(consumer)
        self._wake_consumers()

    def return_unseen(self, deliveries: Iterable[Delivery]) -> None:
        """Return the messages of an abandoned pull: they are ready at once, and no failure is counted."""
        for delivery in sorted(deliveries, key=lambda each: each.number, reverse=True):
            if delivery.state is DeliveryState.LEASED and not delivery.acked:
                self._requeue(delivery, front=True)
        self._wake_consumers()

    def acknowledge(self, ack_id: str) -> bool:
        """Acknowledge a delivery.

        A late id is accepted, except with exactly-once delivery: False rejects it.
        """
        delivery, is_current = self._find(ack_id)
        if self.policy.exactly_once:
            if not is_current:
                return ack_id in self._confirmed
            self._confirm(ack_id)
        if delivery is not None and not delivery.acked:
            self._acknowledge(delivery)
        return True

    def extend(self, ack_id: str, seconds: float, now: float) -> bool:
        """Set a lease to end `seconds` from now; zero is a nack. False rejects the id (exactly-once only)."""
        delivery, is_current = self._find(ack_id)
        if delivery is None or not is_current:
            return not self.policy.exactly_once
        if seconds <= 0:
            self._fail(delivery, now)
            return True
        sooner = now + seconds < delivery.deadline_s
        delivery.deadline_s = now + seconds
        if sooner:
            self.deadlines.add(delivery.deadline_s, delivery)
        return True

    def settle(self, delivery: Delivery, lease: int, *, succeeded: bool, now: float) -> None:
        """Apply the result of a push, unless its lease has ended in the meantime."""
        if delivery.state is not DeliveryState.LEASED or delivery.lease != lease:
            return
        if succeeded:
            self._acknowledge(delivery)
        else:
            self._fail(delivery, now)

    def drop(self, delivery: Delivery) -> None:
        """Finish a delivery that is not leased, after a late acknowledgement or the end of retention."""
        key_queue = delivery.key_queue
        if key_queue is not None and delivery in key_queue.waiting:
            key_queue.waiting.remove(delivery)
            self._key_queues.release_if_drained(key_queue)
        self._finish(delivery)

    def tick(self, now: float) -> None:
        """Process the leases, delays and blocked keys whose deadline has passed."""
        for target in self.deadlines.due(now):
            if isinstance(target, KeyQueue):
                self._key_queues.offer(target)
                self._wake_consumers()
            elif target.state is DeliveryState.DELAYED:
                self._enqueue(target)
            elif target.deadline_s > now:
                self.deadlines.add(target.deadline_s, target)
            else:
                self._fail(target, now)

    def _enqueue(self, delivery: Delivery) -> None:
        delivery.state = DeliveryState.READY
        key = delivery.message.wire.ordering_key
        if self.policy.ordered and key:
            self._key_queues.enqueue(key, delivery)
        else:
            self._ready.append(delivery)
        self._wake_consumers()

    def _find(self, ack_id: str) -> tuple[Delivery | None, bool]:
        """The delivery that an id belongs to, and whether the id belongs to its current lease."""
        try:
            boot, number, lease = map(int, ack_id.split("-"))
        except ValueError:
            raise invalid_ack_ids([]) from None
        delivery = self.deliveries.get(number)
        if delivery is None:
            return None, False
        is_leased = delivery.state is DeliveryState.LEASED and not delivery.acked
        return delivery, is_leased and delivery.lease == lease and boot == self._boot

    def _acknowledge(self, delivery: Delivery) -> None:
        self._release(delivery)
        delivery.acked = True
        key_queue = delivery.key_queue
        if key_queue is None or delivery.number not in key_queue.sent:
            self.drop(delivery)
            return
        for settled in self._key_queues.settle(key_queue, delivery, immediately=self.policy.exactly_once):
            self._finish(settled)
        self._wake_consumers()

    def _fail(self, delivery: Delivery, now: float) -> None:
        """Handle a nack or an expired lease: dead-letter the message, or queue it again after the backoff."""
        delivery.failures += 1
        self._effects.failed(delivery)
        limit, key_queue = self.policy.max_attempts, delivery.key_queue
        if limit and delivery.failures >= limit and self._effects.dead_letter(delivery):
            self._release(delivery)
            for settled in (
                self._key_queues.settle(key_queue, delivery, immediately=True) if key_queue else [delivery]
            ):
                self._finish(settled)
            self._wake_consumers()
            return
        self._retry(delivery, self.policy.delay_s(delivery.failures), now)

    def _retry(self, delivery: Delivery, delay_s: float, now: float) -> None:
        key_queue = delivery.key_queue
        if key_queue is not None:
            key_queue.blocked_until_s = now + delay_s if delay_s else 0.0
        self._requeue(delivery)
        if not delay_s:
            self._wake_consumers()
        elif key_queue is not None:
            self.deadlines.add(key_queue.blocked_until_s, key_queue)
        else:
            delivery.state = DeliveryState.DELAYED
            self.deadlines.add(now + delay_s, delivery)

    def _requeue(self, delivery: Delivery, *, front: bool = False) -> None:
        key_queue = delivery.key_queue
        if key_queue is not None:
            for back in self._key_queues.rewind(key_queue, delivery):
                self._release(back)
            self._key_queues.offer(key_queue)
            return
        self._release(delivery)
        delivery.lease += 1
        delivery.state = DeliveryState.READY
        # A delayed delivery is in this queue too; `take` skips it until its deadline has queued it again.
        (self._ready.appendleft if front else self._ready.append)(delivery)

    def _finish(self, delivery: Delivery) -> None:
        delivery.state = DeliveryState.DONE
        delivery.lease += 1
        if self.deliveries.pop(delivery.number, None) is not None:
            self._effects.finished(delivery.message)

    def _release(self, delivery: Delivery) -> None:
        consumer, delivery.consumer = delivery.consumer, None
        if consumer is not None:
            consumer.messages -= 1
            consumer.bytes -= delivery.message.size_bytes
            consumer.wake()

    def _confirm(self, ack_id: str) -> None:
        self._confirmed[ack_id] = None
        if len(self._confirmed) > _CONFIRMED_KEPT:
            del self._confirmed[next(iter(self._confirmed))]

    def _wake_consumers(self) -> None:
        for consumer in self.consumers:
            consumer.wake()
