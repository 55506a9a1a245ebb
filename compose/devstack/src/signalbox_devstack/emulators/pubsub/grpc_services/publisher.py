"""The Publisher service: topics and publishing."""

from typing import Final

from google.protobuf.empty_pb2 import Empty

from signalbox_devstack.emulators.pubsub import wire
from signalbox_devstack.emulators.pubsub.broker import Broker
from signalbox_devstack.emulators.pubsub.times import seconds
from signalbox_devstack.emulators.pubsub.validation import (
    ACTIVE,
    apply_mask,
    check_new_name,
    check_publish,
    check_retention,
    page_of,
)

_TOPIC_FIELDS: Final = frozenset(
    {"labels", "message_retention_duration", "schema_settings", "message_storage_policy", "kms_key_name"}
)


class PublisherService:
    """Each public method serves one RPC and raises `PubsubError` for an error status."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    async def publish(self, request: wire.PublishRequest) -> wire.PublishResponse:
        topic = self._broker.topic(request.topic)
        check_publish(request)
        ids = self._broker.publish(topic, request.messages)
        await self._broker.journal.committed()
        return wire.PublishResponse(message_ids=ids)

    async def create_topic(self, request: wire.Topic) -> wire.Topic:
        check_new_name("topics", request.name, self._broker.topics)
        check_retention(seconds(request.message_retention_duration))
        request.state = ACTIVE
        self._broker.save_topic(request)
        await self._broker.journal.committed()
        return request

    async def update_topic(self, request: wire.UpdateTopicRequest) -> wire.Topic:
        changed = wire.Topic()
        changed.CopyFrom(self._broker.topic(request.topic.name).settings)
        apply_mask(changed, request.topic, request.update_mask.paths, _TOPIC_FIELDS)
        check_retention(seconds(changed.message_retention_duration))
        self._broker.save_topic(changed)
        await self._broker.journal.committed()
        return changed

    async def get_topic(self, request: wire.GetTopicRequest) -> wire.Topic:
        return self._broker.topic(request.topic).settings

    async def delete_topic(self, request: wire.DeleteTopicRequest) -> Empty:
        self._broker.delete_topic(self._broker.topic(request.topic))
        await self._broker.journal.committed()
        return Empty()

    async def list_topics(self, request: wire.ListTopicsRequest) -> wire.ListTopicsResponse:
        topics = [
            topic.settings
            for name, topic in sorted(self._broker.topics.items())
            if name.startswith(f"{request.project}/")
        ]
        rows, following = page_of(topics, request.page_size, request.page_token)
        return wire.ListTopicsResponse(topics=rows, next_page_token=following)

    async def list_topic_subscriptions(
        self, request: wire.ListTopicSubscriptionsRequest
    ) -> wire.ListTopicSubscriptionsResponse:
        names = sorted(self._broker.topic(request.topic).subscriptions)
        rows, following = page_of(names, request.page_size, request.page_token)
        return wire.ListTopicSubscriptionsResponse(subscriptions=rows, next_page_token=following)

    async def list_topic_snapshots(
        self, request: wire.ListTopicSnapshotsRequest
    ) -> wire.ListTopicSnapshotsResponse:
        names = sorted(
            name for name, snapshot in self._broker.snapshots.items() if snapshot.wire.topic == request.topic
        )
        rows, following = page_of(names, request.page_size, request.page_token)
        return wire.ListTopicSnapshotsResponse(snapshots=rows, next_page_token=following)

    async def detach_subscription(
        self, request: wire.DetachSubscriptionRequest
    ) -> wire.DetachSubscriptionResponse:
        """Detach a subscription from its topic: its messages are dropped and its streams are closed."""
        subscription = self._broker.subscription(request.subscription)
        self._broker.seek(subscription, lambda _: False)
        subscription.settings.detached = True
        subscription.configure(subscription.settings)
        self._broker.save_subscription(subscription)
        if topic := self._broker.topics.get(subscription.settings.topic):
            topic.subscriptions.pop(subscription.name, None)
        await self._broker.journal.committed()
        return wire.DetachSubscriptionResponse()
