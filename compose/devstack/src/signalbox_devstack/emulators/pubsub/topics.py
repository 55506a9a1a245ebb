"""A topic with its message log and subscriptions, and a snapshot of a subscription."""

from dataclasses import dataclass, field

from signalbox_devstack.emulators.pubsub import wire
from signalbox_devstack.emulators.pubsub.deliveries import StoredMessage
from signalbox_devstack.emulators.pubsub.subscription import SubscriptionState
from signalbox_devstack.emulators.pubsub.times import seconds


@dataclass(slots=True, eq=False)
class TopicState:
    """A topic.

    `log` holds all messages that a subscription, snapshot or the retention still needs, oldest first.
    """

    settings: wire.Topic
    log: dict[int, StoredMessage] = field(default_factory=dict)
    subscriptions: dict[str, SubscriptionState] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def retention_s(self) -> float:
        return seconds(self.settings.message_retention_duration)


@dataclass(frozen=True, slots=True)
class SnapshotState:
    """A subscription's undelivered messages at one moment: `backlog`, and every message from `since` on."""

    wire: wire.Snapshot
    backlog: frozenset[int]
    since: int

    def holds(self, message: StoredMessage) -> bool:
        return message.topic == self.wire.topic and self.includes(message)

    def includes(self, message: StoredMessage) -> bool:
        return message.number >= self.since or message.number in self.backlog
