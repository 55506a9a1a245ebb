"""Restores the broker from the journal at startup."""

from signalbox_devstack.emulators.pubsub import wire
from signalbox_devstack.emulators.pubsub.broker import Broker
from signalbox_devstack.emulators.pubsub.deliveries import StoredMessage
from signalbox_devstack.emulators.pubsub.journal import SqliteJournal
from signalbox_devstack.emulators.pubsub.topics import SnapshotState, TopicState


def restore_broker(journal: SqliteJournal) -> Broker:
    """Restore topics, subscriptions, snapshots and messages.

    Leases are not journalled: messages that were leased when the server stopped are delivered again.
    """
    broker = Broker(journal)
    for (blob,) in journal.rows("SELECT wire FROM topics"):
        topic = TopicState(wire.Topic.FromString(_blob(blob)))
        broker.topics[topic.name] = topic
    for number, blob in journal.rows("SELECT number, wire FROM subscriptions"):
        broker.attach(wire.Subscription.FromString(_blob(blob)), int(number))
    for name, blob, backlog, since in journal.rows("SELECT name, wire, backlog, since FROM snapshots"):
        numbers = frozenset(int(number) for number in str(backlog).split(",") if number)
        broker.snapshots[str(name)] = SnapshotState(
            wire.Snapshot.FromString(_blob(blob)), numbers, int(since)
        )
    _load_deliveries(broker, _load_messages(broker))
    return broker


def _load_messages(broker: Broker) -> dict[int, StoredMessage]:
    messages = {}
    for number, topic, published_s, blob in broker.journal.rows("SELECT * FROM messages ORDER BY number"):
        message = wire.PubsubMessage.FromString(_blob(blob))
        stored = StoredMessage(int(number), str(topic), float(published_s), message, message.ByteSize())
        messages[stored.number] = stored
        if stored.topic in broker.topics:
            broker.topics[stored.topic].log[stored.number] = stored
    return messages


def _load_deliveries(broker: Broker, messages: dict[int, StoredMessage]) -> None:
    by_number = {subscription.number: subscription for subscription in broker.subscriptions.values()}
    for owner, number, failures, acked in broker.journal.rows("SELECT * FROM deliveries ORDER BY message"):
        subscription, message = by_number.get(int(owner)), messages.get(int(number))
        if subscription is None or message is None:
            continue
        message.references += 1
        if acked:
            subscription.kept[message.number] = message
        else:
            subscription.backlog.add(message, int(failures))


def _blob(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError(f"expected bytes in the journal, found {type(value).__name__}")
    return value
