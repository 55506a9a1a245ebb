"""One subscription's undelivered messages: leases, acknowledgements, failures. Pure: time and effects are arguments."""

from collections import deque
from collections.abc import Iterable
from itertools import count
from typing import Final, Protocol

from signalbox_devstack.emulators.pubsub.alarms import Alarms
from signalbox_devstack.emulators.pubsub.deliveries import Consumer, Delivery, Lane, State, StoredMessage
from signalbox_devstack.emulators.pubsub.lanes import Batch, Lanes
from signalbox_devstack.emulators.pubsub.refusals import invalid_ack_ids
from signalbox_devstack.emulators.pubsub.rules import Rules

MAX_RESPONSE_MESSAGES: Final = 500
_CONFIRMED_KEPT: Final = 10_000


class Effects(Protocol):
    """What a backlog asks of the world."""

    def finished(self, message: StoredMessage) -> None: ...

    def failed(self, delivery: Delivery) -> None: ...

    def dead_letter(self, delivery: Delivery) -> bool:
        """Forward the message; False when the dead-letter topic is gone and it has to stay."""
        ...


class Backlog:
    """The state machine of deliveries: ready → leased → done, or back to ready, after a delay where one is set."""

    def __init__(self, rules: Rules, effects: Effects, boot: int = 1) -> None:
        self.rules = rules
        self.deliveries: dict[int, Delivery] = {}
        self.consumers: set[Consumer] = set()
        self.alarms = Alarms()
        self._effects = effects
        self._boot = boot
        # Never restarts: an acknowledgement id from before a seek must not fit the lease after it.
        self._leases = count(1)
        self._ready: deque[Delivery] = deque()
        self._lanes = Lanes()
        self._confirmed: dict[str, None] = {}

    def add(self, message: StoredMessage, failures: int = 0) -> None:
        delivery = self.deliveries[message.number] = Delivery(message, failures)
        self._enqueue(delivery)

    def replace(self, messages: Iterable[StoredMessage]) -> None:
        """Forget all leases and keep exactly `messages`, oldest first (seek, detach)."""
        for delivery in self.deliveries.values():
            self._release(delivery)
            delivery.state = State.DONE
        self.deliveries.clear()
        self._ready.clear()
        self._lanes.clear()
        self.alarms.clear()
        for consumer in self.consumers:
            consumer.lanes.clear()
        for message in messages:
            self.add(message)
        self._wake_all()

    def take(self, consumer: Consumer, now: float, limit: int = MAX_RESPONSE_MESSAGES) -> list[Delivery]:
        """Lease what this consumer may have now, at most `limit` messages and one response's bytes."""

        def lease(delivery: Delivery, batch: Batch) -> None:
            delivery.state = State.LEASED
            delivery.lease = next(self._leases)
            delivery.consumer = consumer
            delivery.deadline_s = now + consumer.ack_deadline_s
            self.alarms.set(delivery.deadline_s, delivery)
            batch.add(delivery)

        batch = Batch(consumer, limit)
        self._lanes.take(batch, now, lease)
        while self._ready and batch.fits(self._ready[0]):
            delivery = self._ready.popleft()
            if delivery.state is State.READY:
                lease(delivery, batch)
        return batch.taken

    def ack_id(self, delivery: Delivery) -> str:
        return f"{self._boot}-{delivery.number}-{delivery.lease}"

    def leave(self, consumer: Consumer) -> None:
        """The consumer is gone; its leases run on, as acknowledgements may still come another way."""
        self.consumers.discard(consumer)
        consumer.closed = True
        self._lanes.abandon(consumer)
        self._wake_all()

    def give_back(self, deliveries: Iterable[Delivery]) -> None:
        """An abandoned pull: nobody saw these, so they are ready again at once and nothing counts as failed."""
        for delivery in sorted(deliveries, key=lambda each: each.number, reverse=True):
            if delivery.state is State.LEASED and not delivery.acked:
                self._again(delivery, front=True)
        self._wake_all()

    def acknowledge(self, ack_id: str) -> bool:
        """Settle a delivery; a late id counts, except with exactly-once, where False refuses it."""
        delivery, is_current = self._find(ack_id)
        if self.rules.exactly_once:
            if not is_current:
                return ack_id in self._confirmed
            self._confirm(ack_id)
        if delivery is not None and not delivery.acked:
            self._acknowledge(delivery)
        return True

    def extend(self, ack_id: str, seconds: float, now: float) -> bool:
        """Move a lease's end to `seconds` from now; zero is a nack. False: refused (exactly-once only)."""
        delivery, is_current = self._find(ack_id)
        if delivery is None or not is_current:
            return not self.rules.exactly_once
        if seconds <= 0:
            self._fail(delivery, now)
            return True
        sooner = now + seconds < delivery.deadline_s
        delivery.deadline_s = now + seconds
        if sooner:
            self.alarms.set(delivery.deadline_s, delivery)
        return True

    def settle(self, delivery: Delivery, lease: int, *, succeeded: bool, now: float) -> None:
        """What a push came to; a lease that has ended meanwhile is not touched."""
        if delivery.state is not State.LEASED or delivery.lease != lease:
            return
        if succeeded:
            self._acknowledge(delivery)
        else:
            self._fail(delivery, now)

    def drop(self, delivery: Delivery) -> None:
        """Settle a delivery that nobody holds: a late acknowledgement, or the end of retention."""
        lane = delivery.lane
        if lane is not None and delivery in lane.waiting:
            lane.waiting.remove(delivery)
            self._lanes.free_if_drained(lane)
        self._finish(delivery)

    def tick(self, now: float) -> None:
        """End the leases, delays and blocked keys whose time has come."""
        for target in self.alarms.due(now):
            if isinstance(target, Lane):
                self._lanes.offer(target)
                self._wake_all()
            elif target.state is State.DELAYED:
                self._enqueue(target)
            elif target.deadline_s > now:
                self.alarms.set(target.deadline_s, target)
            else:
                self._fail(target, now)

    def _enqueue(self, delivery: Delivery) -> None:
        delivery.state = State.READY
        key = delivery.message.wire.ordering_key
        if self.rules.ordered and key:
            self._lanes.enqueue(key, delivery)
        else:
            self._ready.append(delivery)
        self._wake_all()

    def _find(self, ack_id: str) -> tuple[Delivery | None, bool]:
        """The delivery an id is about, and whether it is of its current lease."""
        try:
            boot, number, lease = map(int, ack_id.split("-"))
        except ValueError:
            raise invalid_ack_ids([]) from None
        delivery = self.deliveries.get(number)
        if delivery is None:
            return None, False
        is_leased = delivery.state is State.LEASED and not delivery.acked
        return delivery, is_leased and delivery.lease == lease and boot == self._boot

    def _acknowledge(self, delivery: Delivery) -> None:
        self._release(delivery)
        delivery.acked = True
        lane = delivery.lane
        if lane is None or delivery.number not in lane.sent:
            self.drop(delivery)
            return
        for final in self._lanes.settle(lane, delivery, at_once=self.rules.exactly_once):
            self._finish(final)
        self._wake_all()

    def _fail(self, delivery: Delivery, now: float) -> None:
        """A nack or an expired lease: count it, then dead-letter the message or queue it again after the back-off."""
        delivery.failures += 1
        self._effects.failed(delivery)
        limit, lane = self.rules.max_attempts, delivery.lane
        if limit and delivery.failures >= limit and self._effects.dead_letter(delivery):
            self._release(delivery)
            for final in self._lanes.settle(lane, delivery, at_once=True) if lane else [delivery]:
                self._finish(final)
            self._wake_all()
            return
        self._retry(delivery, self.rules.delay_s(delivery.failures), now)

    def _retry(self, delivery: Delivery, delay_s: float, now: float) -> None:
        lane = delivery.lane
        if lane is not None:
            lane.blocked_until_s = now + delay_s if delay_s else 0.0
        self._again(delivery)
        if not delay_s:
            self._wake_all()
        elif lane is not None:
            self.alarms.set(lane.blocked_until_s, lane)
        else:
            delivery.state = State.DELAYED
            self.alarms.set(now + delay_s, delivery)

    def _again(self, delivery: Delivery, *, front: bool = False) -> None:
        lane = delivery.lane
        if lane is not None:
            for back in self._lanes.rewind(lane, delivery):
                self._release(back)
            self._lanes.offer(lane)
            return
        self._release(delivery)
        delivery.lease += 1
        delivery.state = State.READY
        # A delayed delivery stands here too; `take` skips it until its alarm has queued it again.
        (self._ready.appendleft if front else self._ready.append)(delivery)

    def _finish(self, delivery: Delivery) -> None:
        delivery.state = State.DONE
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

    def _wake_all(self) -> None:
        for consumer in self.consumers:
            consumer.wake()
