"""One subscription: its settings, its backlog, and the timer that drives the backlog."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

from signalbox_devstack.emulators.pubsub import wire
from signalbox_devstack.emulators.pubsub.backlog import SubscriptionBacklog
from signalbox_devstack.emulators.pubsub.deliveries import Consumer, Delivery, StoredMessage
from signalbox_devstack.emulators.pubsub.delivery_policy import DeliveryPolicy
from signalbox_devstack.emulators.pubsub.errors import not_found, precondition
from signalbox_devstack.emulators.pubsub.filters import compile_filter


class SubscriptionStore(Protocol):
    """The part of the broker that a subscription calls."""

    def finished(self, subscription: "SubscriptionState", message: StoredMessage) -> None: ...

    def failed(self, subscription: "SubscriptionState", delivery: Delivery) -> None: ...

    def dead_letter(self, subscription: "SubscriptionState", delivery: Delivery) -> bool: ...


class SubscriptionState:
    """Ticks the backlog at each of its deadlines.

    Every change goes through `awake()`, which resets the timer.
    """

    def __init__(self, settings: wire.Subscription, number: int, store: SubscriptionStore, boot: int) -> None:
        self.settings = settings
        self.number = number
        self.is_deleted = False
        self.kept: dict[int, StoredMessage] = {}
        """Acknowledged messages that are kept for seek (`retain_acked_messages`)."""
        self.backlog = SubscriptionBacklog(DeliveryPolicy.of(settings), self, boot)
        self._store = store
        self._matches = compile_filter(settings.filter)
        self._timer: asyncio.TimerHandle | None = None

    @property
    def name(self) -> str:
        return self.settings.name

    def configure(self, settings: wire.Subscription) -> None:
        self.settings = settings
        self.backlog.policy = DeliveryPolicy.of(settings)
        for consumer in self.backlog.consumers:
            consumer.wake()

    def accepts(self, message: wire.PubsubMessage) -> bool:
        return not self.settings.detached and (self._matches is None or self._matches(message.attributes))

    def check_pull(self) -> None:
        """Raise an error if this subscription cannot be pulled from."""
        if self.is_deleted:
            raise not_found(self.name)
        if self.settings.detached:
            raise precondition(f"Subscription {self.name} is detached from its topic.")
        if self.settings.push_config.push_endpoint:
            raise precondition(
                "This method is not supported for this subscription type: it is a push subscription."
            )

    @contextmanager
    def consumer(self, consumer: Consumer) -> Iterator[Consumer]:
        """Register the consumer for the duration of the block."""
        self.backlog.consumers.add(consumer)
        try:
            yield consumer
        finally:
            self.backlog.remove_consumer(consumer)

    def take(self, consumer: Consumer, limit: int) -> list[Delivery]:
        with self.awake() as now:
            return self.backlog.take(consumer, now, limit)

    def received(self, deliveries: Iterable[Delivery]) -> list[wire.ReceivedMessage]:
        counts = self.settings.HasField("dead_letter_policy")
        return [
            wire.ReceivedMessage(
                ack_id=self.backlog.ack_id(each),
                message=each.message.wire,
                delivery_attempt=each.failures + 1 if counts else 0,
            )
            for each in deliveries
        ]

    def acknowledge(self, ack_ids: Iterable[str]) -> tuple[list[str], list[str]]:
        """Acknowledge; return the accepted and the rejected ids."""
        return _partition(ack_ids, self.backlog.acknowledge)

    def extend(self, deadlines: Iterable[tuple[str, int]]) -> tuple[list[str], list[str]]:
        """Change the ends of leases, 0 seconds being a nack; return the accepted and the rejected ids."""
        with self.awake() as now:
            seconds = dict(deadlines)
            return _partition(seconds, lambda ack_id: self.backlog.extend(ack_id, seconds[ack_id], now))

    @contextmanager
    def awake(self) -> Iterator[float]:
        """Yield the event loop's time; afterwards set the timer to the backlog's next deadline."""
        loop = asyncio.get_running_loop()
        try:
            yield loop.time()
        finally:
            self._set_timer(loop)

    def _set_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        at_s = self.backlog.deadlines.next_at()
        if self._timer is not None and (at_s is None or at_s != self._timer.when()):
            self._timer.cancel()
            self._timer = None
        if self._timer is None and at_s is not None and not self.is_deleted:
            self._timer = loop.call_at(at_s, self._tick)

    def return_unseen(self, deliveries: Iterable[Delivery]) -> None:
        """Make messages ready again that their consumer never received."""
        with self.awake():
            self.backlog.return_unseen(deliveries)

    def delete(self) -> list[StoredMessage]:
        """Delete the subscription; return the messages it held."""
        self.is_deleted = True
        held = [delivery.message for delivery in self.backlog.deliveries.values()] + list(self.kept.values())
        with self.awake():
            self.backlog.replace([])
        self.kept.clear()
        return held

    def finished(self, message: StoredMessage) -> None:
        self._store.finished(self, message)

    def failed(self, delivery: Delivery) -> None:
        self._store.failed(self, delivery)

    def dead_letter(self, delivery: Delivery) -> bool:
        return self._store.dead_letter(self, delivery)

    def _tick(self) -> None:
        self._timer = None
        with self.awake() as now:
            self.backlog.tick(now)


def _partition(ack_ids: Iterable[str], accept: Callable[[str], bool]) -> tuple[list[str], list[str]]:
    accepted: list[str] = []
    rejected: list[str] = []
    for ack_id in ack_ids:
        (accepted if accept(ack_id) else rejected).append(ack_id)
    return accepted, rejected
