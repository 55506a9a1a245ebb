"""Maps the gRPC methods to the service classes, and errors to statuses."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import grpc
from google.protobuf.message import Message

from signalbox_devstack.emulators.pubsub import wire
from signalbox_devstack.emulators.pubsub.broker import Broker
from signalbox_devstack.emulators.pubsub.errors import PubsubError
from signalbox_devstack.emulators.pubsub.grpc_services import streaming_pull
from signalbox_devstack.emulators.pubsub.grpc_services import subscriber as subscriber_service
from signalbox_devstack.emulators.pubsub.grpc_services.publisher import PublisherService
from signalbox_devstack.emulators.pubsub.grpc_services.snapshots import SnapshotService
from signalbox_devstack.emulators.pubsub.grpc_services.streaming_pull import StreamingPull
from signalbox_devstack.emulators.pubsub.grpc_services.subscriber import SubscriberService
from signalbox_devstack.emulators.pubsub.push import Pushers

if TYPE_CHECKING:
    Handler = grpc.RpcMethodHandler[Message, Message]  # generic in the stubs only

Request = TypeVar("Request", bound=Message)
Call = grpc.aio.ServicerContext[Message, Message]


def handlers(broker: Broker, pushers: Pushers, stream_s: float) -> tuple[grpc.GenericRpcHandler, ...]:
    publisher, subscriber, snapshots = (
        PublisherService(broker),
        SubscriberService(broker, pushers),
        SnapshotService(broker),
    )
    publisher_methods = {
        "Publish": _unary(wire.PublishRequest, publisher.publish),
        "CreateTopic": _unary(wire.Topic, publisher.create_topic),
        "UpdateTopic": _unary(wire.UpdateTopicRequest, publisher.update_topic),
        "GetTopic": _unary(wire.GetTopicRequest, publisher.get_topic),
        "DeleteTopic": _unary(wire.DeleteTopicRequest, publisher.delete_topic),
        "ListTopics": _unary(wire.ListTopicsRequest, publisher.list_topics),
        "ListTopicSubscriptions": _unary(
            wire.ListTopicSubscriptionsRequest, publisher.list_topic_subscriptions
        ),
        "ListTopicSnapshots": _unary(wire.ListTopicSnapshotsRequest, publisher.list_topic_snapshots),
        "DetachSubscription": _unary(wire.DetachSubscriptionRequest, publisher.detach_subscription),
    }
    subscriber_methods = {
        "Pull": _pull(subscriber),
        "StreamingPull": _stream(StreamingPull(broker, stream_s)),
        "CreateSubscription": _unary(wire.Subscription, subscriber.create_subscription),
        "GetSubscription": _unary(wire.GetSubscriptionRequest, subscriber.get_subscription),
        "UpdateSubscription": _unary(wire.UpdateSubscriptionRequest, subscriber.update_subscription),
        "ModifyPushConfig": _unary(wire.ModifyPushConfigRequest, subscriber.modify_push_config),
        "ListSubscriptions": _unary(wire.ListSubscriptionsRequest, subscriber.list_subscriptions),
        "DeleteSubscription": _unary(wire.DeleteSubscriptionRequest, subscriber.delete_subscription),
        "Acknowledge": _unary(wire.AcknowledgeRequest, subscriber.acknowledge),
        "ModifyAckDeadline": _unary(wire.ModifyAckDeadlineRequest, subscriber.modify_ack_deadline),
        "CreateSnapshot": _unary(wire.CreateSnapshotRequest, snapshots.create_snapshot),
        "GetSnapshot": _unary(wire.GetSnapshotRequest, snapshots.get_snapshot),
        "UpdateSnapshot": _unary(wire.UpdateSnapshotRequest, snapshots.update_snapshot),
        "ListSnapshots": _unary(wire.ListSnapshotsRequest, snapshots.list_snapshots),
        "DeleteSnapshot": _unary(wire.DeleteSnapshotRequest, snapshots.delete_snapshot),
        "Seek": _unary(wire.SeekRequest, snapshots.seek),
    }
    return (
        grpc.method_handlers_generic_handler("google.pubsub.v1.Publisher", publisher_methods),
        grpc.method_handlers_generic_handler("google.pubsub.v1.Subscriber", subscriber_methods),
    )


def _unary(kind: type[Request], method: Callable[[Request], Awaitable[Message]]) -> "Handler":
    async def answer(request: Request, call: Call) -> Message:
        try:
            return await method(request)
        except PubsubError as error:
            await call.abort(error.code, error.message, error.trailers)

    return grpc.unary_unary_rpc_method_handler(
        answer, request_deserializer=kind.FromString, response_serializer=_serialize
    )


def _pull(subscriber: SubscriberService) -> "Handler":
    async def answer(request: wire.PullRequest, call: subscriber_service.Call) -> Message:
        try:
            return await subscriber.pull(request, call)
        except PubsubError as error:
            await call.abort(error.code, error.message, error.trailers)

    return grpc.unary_unary_rpc_method_handler(
        answer, request_deserializer=wire.PullRequest.FromString, response_serializer=_serialize
    )


def _stream(streams: StreamingPull) -> "Handler":
    async def serve(_: object, call: streaming_pull.Call) -> None:
        try:
            await streams.serve(call)
        except PubsubError as error:
            await call.abort(error.code, error.message, error.trailers)

    kind = wire.StreamingPullRequest
    return grpc.stream_stream_rpc_method_handler(
        serve, request_deserializer=kind.FromString, response_serializer=_serialize
    )


def _serialize(message: Message) -> bytes:
    return message.SerializeToString()
