"""Clients of Google Cloud Pub/Sub, or of an emulator when its address is given; no environment variables."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, cast
from urllib.parse import quote

import grpc
from google.api_core import exceptions as google_errors
from google.api_core.retry import AsyncRetry, if_exception_type
from google.pubsub_v1 import PublisherAsyncClient, SubscriberAsyncClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcAsyncIOTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcAsyncIOTransport
from google.pubsub_v1.types import PublishRequest, PublishResponse, PubsubMessage

# gRPC's default reconnect backoff grows to two minutes, too long after a restart of the server.
_OPTIONS: Final[Sequence[tuple[str, int]]] = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.max_receive_message_length", 12 << 20),
    ("grpc.max_send_message_length", 12 << 20),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
)
RawMessage: Final = PubsubMessage.pb(PubsubMessage()).__class__
"""The protobuf class of a message; the library's own class wraps it."""
RawPublishRequest: Final = PublishRequest.pb(PublishRequest()).__class__
_RawPublishResponse: Final = PublishResponse.pb(PublishResponse()).__class__

PublishMethod = Callable[[str, Sequence[Any], float], Awaitable[Sequence[str]]]
"""Topic path, raw messages and seconds to the ids of the messages; raises GoogleAPICallError."""

_TRANSIENT: Final = if_exception_type(
    google_errors.Aborted,
    google_errors.Cancelled,
    google_errors.DeadlineExceeded,
    google_errors.InternalServerError,
    google_errors.ResourceExhausted,
    google_errors.ServiceUnavailable,
    google_errors.Unknown,
)


def retry_for(seconds: float) -> AsyncRetry:
    """Return a retry of transient errors, for unary calls only: on streams the client's retry hangs."""
    return AsyncRetry(_TRANSIENT, initial=0.05, maximum=1.0, timeout=seconds)


def publisher_client(emulator_host: str | None) -> PublisherAsyncClient:
    """Must be called with a running loop: the channel belongs to it."""
    kind = PublisherGrpcAsyncIOTransport
    channel = _emulator(emulator_host) if emulator_host else kind.create_channel(options=_OPTIONS)
    return PublisherAsyncClient(transport=kind(channel=channel))


def publish_method(client: PublisherAsyncClient) -> PublishMethod:
    """Return the client's `Publish` method on plain protobuf messages.

    The client's own method converts every message and its fields once more: nearly half of the CPU of a
    publish.
    """
    call = cast(PublisherGrpcAsyncIOTransport, client.transport).grpc_channel.unary_unary(
        "/google.pubsub.v1.Publisher/Publish",
        request_serializer=RawPublishRequest.SerializeToString,
        response_deserializer=_RawPublishResponse.FromString,
    )

    async def publish(topic: str, messages: Sequence[Any], timeout_s: float) -> Sequence[str]:
        request = RawPublishRequest(topic=topic, messages=messages)
        try:
            response = await call(request, timeout=timeout_s, metadata=(_routing(topic),))
        except grpc.aio.AioRpcError as error:
            raise google_errors.from_grpc_error(error) from error  # type: ignore[no-untyped-call]
        return cast("Sequence[str]", response.message_ids)

    return publish


def _routing(topic: str) -> tuple[str, str]:
    return "x-goog-request-params", f"topic={quote(topic, safe='')}"


def subscriber_client(emulator_host: str | None) -> SubscriberAsyncClient:
    """Must be called with a running loop: the channel belongs to it."""
    kind = SubscriberGrpcAsyncIOTransport
    channel = _emulator(emulator_host) if emulator_host else kind.create_channel(options=_OPTIONS)
    return SubscriberAsyncClient(transport=kind(channel=channel))


async def disconnect(client: PublisherAsyncClient | SubscriberAsyncClient) -> None:
    await client.transport.close()  # type: ignore[no-untyped-call]


def _emulator(host: str) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(host, options=_OPTIONS)


def topic_path(project: str, topic: str) -> str:
    return f"projects/{project}/topics/{topic}"


def subscription_path(project: str, subscription: str) -> str:
    return f"projects/{project}/subscriptions/{subscription}"
