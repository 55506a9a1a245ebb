"""The calls that create, read and update topics and subscriptions, on plain protobuf messages."""

from collections.abc import Sequence
from typing import Final, TypeVar

import grpc
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from signalbox_core.pubsub import wire
from signalbox_core.pubsub.channel import retry_transient, routing

M = TypeVar("M", bound=Message)
_CALL_TIMEOUT_S: Final = 10.0


class ResourceCalls:
    """Transient errors are retried for ten seconds; every method raises `grpc.aio.AioRpcError`."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel

    async def create_topic(self, topic: wire.Topic) -> None:
        await self._send("Publisher/CreateTopic", topic, wire.Topic, ("name", topic.name))

    async def get_topic(self, path: str) -> wire.Topic:
        request = wire.GetTopicRequest(topic=path)
        return await self._send("Publisher/GetTopic", request, wire.Topic, ("topic", path))

    async def update_topic(self, topic: wire.Topic, fields: Sequence[str]) -> None:
        request = wire.UpdateTopicRequest(topic=topic, update_mask=FieldMask(paths=fields))
        await self._send("Publisher/UpdateTopic", request, wire.Topic, ("topic.name", topic.name))

    async def create_subscription(self, subscription: wire.Subscription) -> None:
        routed = ("name", subscription.name)
        await self._send("Subscriber/CreateSubscription", subscription, wire.Subscription, routed)

    async def get_subscription(self, path: str) -> wire.Subscription:
        request = wire.GetSubscriptionRequest(subscription=path)
        return await self._send(
            "Subscriber/GetSubscription", request, wire.Subscription, ("subscription", path)
        )

    async def update_subscription(self, subscription: wire.Subscription, fields: Sequence[str]) -> None:
        request = wire.UpdateSubscriptionRequest(
            subscription=subscription, update_mask=FieldMask(paths=fields)
        )
        routed = ("subscription.name", subscription.name)
        await self._send("Subscriber/UpdateSubscription", request, wire.Subscription, routed)

    async def _send(self, method: str, request: Message, response: type[M], routed: tuple[str, str]) -> M:
        call: grpc.aio.UnaryUnaryMultiCallable[Message, M] = self._channel.unary_unary(
            f"/google.pubsub.v1.{method}",
            request_serializer=lambda body: body.SerializeToString(),
            response_deserializer=response.FromString,
        )
        return await retry_transient(
            lambda: call(request, timeout=_CALL_TIMEOUT_S, metadata=routing(*routed)),
            within_s=_CALL_TIMEOUT_S,
        )
