"""Topics, subscriptions and snapshots, and the life of a message. Every change is written to the journal."""

import time
from collections.abc import Callable, Sequence

from signalbox_devstack.emulators.pubsub import wire
from signalbox_devstack.emulators.pubsub.deliveries import Delivery, StoredMessage
from signalbox_devstack.emulators.pubsub.errors import not_found
from signalbox_devstack.emulators.pubsub.journal import SqliteJournal
from signalbox_devstack.emulators.pubsub.subscription import SubscriptionState
from signalbox_devstack.emulators.pubsub.times import timestamp
from signalbox_devstack.emulators.pubsub.topics import SnapshotState, TopicState

DELETED_TOPIC = "_deleted-topic_"
_INSERT_MESSAGE = "INSERT INTO messages VALUES(?, ?, ?, ?)"
_INSERT_DELIVERY = "INSERT OR REPLACE INTO deliveries VALUES(?, ?, 0, 0)"


class Broker:
    """The state of the server. Methods change memory immediately and queue the same change in the journal."""

    def __init__(self, journal: SqliteJournal) -> None:
        self.journal = journal
        self.topics: dict[str, TopicState] = {}
        self.subscriptions: dict[str, SubscriptionState] = {}
        self.snapshots: dict[str, SnapshotState] = {}
        self.is_closing = False
        self._last_number = 0

    # -- lookups

    def topic(self, name: str) -> TopicState:
        if name not in self.topics:
            raise not_found(name)
        return self.topics[name]

    def subscription(self, name: str) -> SubscriptionState:
        if name not in self.subscriptions:
            raise not_found(name)
        return self.subscriptions[name]

    def snapshot(self, name: str) -> SnapshotState:
        if name not in self.snapshots:
            raise not_found(name)
        return self.snapshots[name]

    # -- resources

    def save_topic(self, settings: wire.Topic) -> TopicState:
        """Create a topic or replace its settings."""
        topic = self.topics.setdefault(settings.name, TopicState(settings))
        topic.settings = settings
        self.journal.write(
            "INSERT OR REPLACE INTO topics VALUES(?, ?)", (settings.name, settings.SerializeToString())
        )
        return topic

    def delete_topic(self, topic: TopicState) -> None:
        """Delete a topic. Its subscriptions remain and deliver the messages they hold."""
        del self.topics[topic.name]
        self.journal.write("DELETE FROM topics WHERE name = ?", (topic.name,))
        for subscription in topic.subscriptions.values():
            subscription.settings.topic = DELETED_TOPIC
            self.save_subscription(subscription)
        unneeded = [message for message in topic.log.values() if not message.references]
        self._delete_messages(unneeded)

    def create_subscription(self, settings: wire.Subscription) -> SubscriptionState:
        self._last_number += 1
        subscription = self.attach(settings, self._last_number)
        self.save_subscription(subscription)
        return subscription

    def attach(self, settings: wire.Subscription, number: int) -> SubscriptionState:
        """Add a subscription to memory, a new one or one from the journal."""
        self._last_number = max(self._last_number, number)
        subscription = SubscriptionState(settings, number, self, self.journal.boot)
        self.subscriptions[settings.name] = subscription
        if settings.topic in self.topics:
            self.topics[settings.topic].subscriptions[settings.name] = subscription
        return subscription

    def save_subscription(self, subscription: SubscriptionState) -> None:
        row = (subscription.name, subscription.number, subscription.settings.SerializeToString())
        self.journal.write("INSERT OR REPLACE INTO subscriptions VALUES(?, ?, ?)", row)

    def delete_subscription(self, subscription: SubscriptionState) -> None:
        del self.subscriptions[subscription.name]
        if topic := self.topics.get(subscription.settings.topic):
            topic.subscriptions.pop(subscription.name, None)
        self.journal.write("DELETE FROM subscriptions WHERE name = ?", (subscription.name,))
        self.journal.write("DELETE FROM deliveries WHERE subscription = ?", (subscription.number,))
        for message in subscription.delete():
            self.release(message)

    def create_snapshot(self, subscription: SubscriptionState, settings: wire.Snapshot) -> None:
        snapshot = SnapshotState(settings, frozenset(subscription.backlog.deliveries), self.journal.new_id())
        self.snapshots[settings.name] = snapshot
        self.save_snapshot(snapshot)

    def save_snapshot(self, snapshot: SnapshotState) -> None:
        backlog = ",".join(map(str, sorted(snapshot.backlog)))
        row = (snapshot.wire.name, snapshot.wire.SerializeToString(), backlog, snapshot.since)
        self.journal.write("INSERT OR REPLACE INTO snapshots VALUES(?, ?, ?, ?)", row)

    def delete_snapshot(self, name: str) -> None:
        snapshot = self.snapshots.pop(name)
        self.journal.write("DELETE FROM snapshots WHERE name = ?", (name,))
        if topic := self.topics.get(snapshot.wire.topic):
            self._delete_messages(
                [m for m in topic.log.values() if snapshot.holds(m) and not self.is_needed(m)]
            )

    # -- messages

    def publish(self, topic: TopicState, messages: Sequence[wire.PubsubMessage]) -> list[str]:
        """Number, journal and queue messages. The caller awaits the commit before it responds."""
        now = time.time()
        stored = [self._store(topic, message, now) for message in messages]
        deliveries = [
            (subscription, message)
            for message in stored
            for subscription in topic.subscriptions.values()
            if subscription.accepts(message.wire)
        ]
        for _, message in deliveries:
            message.references += 1
        kept = [message for message in stored if self.is_needed(message)]
        rows = [(m.number, m.topic, m.published_s, m.wire.SerializeToString()) for m in kept]
        self.journal.write(_INSERT_MESSAGE, *rows)
        self.journal.write(
            _INSERT_DELIVERY, *((subscription.number, message.number) for subscription, message in deliveries)
        )
        topic.log.update((message.number, message) for message in kept)
        for subscription, message in deliveries:
            subscription.backlog.add(message)
        return [message.wire.message_id for message in stored]

    def seek(self, subscription: SubscriptionState, includes: Callable[[StoredMessage], bool]) -> None:
        """Make exactly the selected messages undelivered, acknowledged or not, if they are still retained."""
        held = {
            number: delivery.message for number, delivery in subscription.backlog.deliveries.items()
        } | subscription.kept
        topic = self.topics.get(subscription.settings.topic)
        logged = {n: m for n, m in topic.log.items() if subscription.accepts(m.wire)} if topic else {}
        selected = {n: message for n, message in sorted((held | logged).items()) if includes(message)}
        self.journal.write("DELETE FROM deliveries WHERE subscription = ?", (subscription.number,))
        self.journal.write(_INSERT_DELIVERY, *((subscription.number, number) for number in selected))
        for message in selected.values():
            message.references += 1
        subscription.kept.clear()
        with subscription.awake():
            subscription.backlog.replace(selected.values())
        for message in held.values():
            self.release(message)

    def finished(self, subscription: SubscriptionState, message: StoredMessage) -> None:
        """Record that a delivery was acknowledged, dead-lettered or dropped."""
        if subscription.settings.retain_acked_messages:
            subscription.kept[message.number] = message
            row = (subscription.number, message.number)
            self.journal.write("UPDATE deliveries SET acked = 1 WHERE subscription = ? AND message = ?", row)
        else:
            self.forget(subscription, message)

    def forget(self, subscription: SubscriptionState, message: StoredMessage) -> None:
        """Drop a message that the subscription does not need any more, not even for seek."""
        row = (subscription.number, message.number)
        self.journal.write("DELETE FROM deliveries WHERE subscription = ? AND message = ?", row)
        self.release(message)

    def expire(self, messages: Sequence[StoredMessage]) -> None:
        """Delete messages whose topic retention has ended, except those that a snapshot still holds."""
        held = [
            message for message in messages if any(each.holds(message) for each in self.snapshots.values())
        ]
        self._delete_messages([message for message in messages if message not in held])

    def failed(self, subscription: SubscriptionState, delivery: Delivery) -> None:
        row = (delivery.failures, subscription.number, delivery.number)
        self.journal.write("UPDATE deliveries SET failures = ? WHERE subscription = ? AND message = ?", row)

    def dead_letter(self, subscription: SubscriptionState, delivery: Delivery) -> bool:
        topic = self.topics.get(subscription.settings.dead_letter_policy.dead_letter_topic)
        if topic is None:
            return False
        _, project, _, name = subscription.name.split("/")
        original = delivery.message.wire
        message = wire.PubsubMessage()
        message.CopyFrom(original)
        message.attributes["CloudPubSubDeadLetterSourceDeliveryCount"] = str(delivery.failures)
        message.attributes["CloudPubSubDeadLetterSourceSubscription"] = name
        message.attributes["CloudPubSubDeadLetterSourceSubscriptionProject"] = project
        message.attributes["CloudPubSubDeadLetterSourceTopicPublishTime"] = (
            original.publish_time.ToJsonString()
        )
        self.publish(topic, [message])
        return True

    def release(self, message: StoredMessage) -> None:
        """Release one subscription's reference to a message, and delete the message if it was the last."""
        message.references -= 1
        if not self.is_needed(message):
            self._delete_messages([message])

    def is_needed(self, message: StoredMessage) -> bool:
        topic = self.topics.get(message.topic)
        if message.references > 0 or (topic is not None and topic.retention_s > 0):
            return True
        return topic is not None and any(snapshot.holds(message) for snapshot in self.snapshots.values())

    def _store(self, topic: TopicState, message: wire.PubsubMessage, now: float) -> StoredMessage:
        number = self.journal.new_id()
        message.message_id = str(number)
        message.publish_time.CopyFrom(timestamp(now))
        return StoredMessage(number, topic.name, now, message, message.ByteSize())

    def _delete_messages(self, messages: Sequence[StoredMessage]) -> None:
        for message in messages:
            if topic := self.topics.get(message.topic):
                topic.log.pop(message.number, None)
        self.journal.write(
            "DELETE FROM messages WHERE number = ?", *((message.number,) for message in messages)
        )
