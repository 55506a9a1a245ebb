"""One topic: its settings, its log of messages, and the subscriptions that get what is published."""

from dataclasses import dataclass, field

from signalbox_devstack.emulators.pubsub import wire
from signalbox_devstack.emulators.pubsub.deliveries import StoredMessage
from signalbox_devstack.emulators.pubsub.subscription import Subscription
from signalbox_devstack.emulators.pubsub.times import seconds


@dataclass(slots=True, eq=False)
class Topic:
    """`log` holds every message that a subscription, the topic's retention or a snapshot still needs, oldest first."""

    settings: wire.Topic
    log: dict[int, StoredMessage] = field(default_factory=dict)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def retention_s(self) -> float:
        return seconds(self.settings.message_retention_duration)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a subscription had yet to deliver at a moment: these messages, and all from `since` on."""

    wire: wire.Snapshot
    backlog: frozenset[int]
    since: int

    def holds(self, message: StoredMessage) -> bool:
        return message.topic == self.wire.topic and self.wants(message)

    def wants(self, message: StoredMessage) -> bool:
        return message.number >= self.since or message.number in self.backlog
