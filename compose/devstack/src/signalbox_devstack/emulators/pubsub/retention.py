"""Drops messages and snapshots whose retention time has ended."""

import asyncio
import time
from typing import Final

from signalbox_devstack.emulators.pubsub.broker import Broker
from signalbox_devstack.emulators.pubsub.deliveries import DeliveryState
from signalbox_devstack.emulators.pubsub.subscription import SubscriptionState
from signalbox_devstack.emulators.pubsub.times import seconds
from signalbox_devstack.emulators.pubsub.topics import TopicState

SWEEP_EVERY_S: Final = 1.0


async def sweep_forever(broker: Broker) -> None:
    while True:
        sweep(broker, time.time())
        await asyncio.sleep(SWEEP_EVERY_S)


def sweep(broker: Broker, now: float) -> None:
    """Drop everything older than its retention time.

    A leased message is kept, as it can still be acknowledged.
    """
    for name, snapshot in list(broker.snapshots.items()):
        if seconds(snapshot.wire.expire_time) < now:
            broker.delete_snapshot(name)
    for subscription in broker.subscriptions.values():
        _sweep_subscription(
            broker, subscription, now - seconds(subscription.settings.message_retention_duration)
        )
    for topic in broker.topics.values():
        _sweep_topic(broker, topic, now - topic.retention_s)


def _sweep_subscription(broker: Broker, subscription: SubscriptionState, oldest_s: float) -> None:
    with subscription.awake():
        for delivery in list(subscription.backlog.deliveries.values()):
            if delivery.message.published_s >= oldest_s:
                break  # in order of publishing
            if delivery.state is not DeliveryState.LEASED:
                subscription.backlog.drop(delivery)
    for number, message in list(subscription.kept.items()):
        if message.published_s < oldest_s:
            del subscription.kept[number]
            broker.forget(subscription, message)


def _sweep_topic(broker: Broker, topic: TopicState, oldest_s: float) -> None:
    expired = []
    for message in topic.log.values():
        if message.published_s >= oldest_s:
            break
        if not message.references:
            expired.append(message)
    broker.expire(expired)
