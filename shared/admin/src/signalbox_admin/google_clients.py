"""Google's own clients of Pub/Sub, for `redrive`; services and provisioning send plain messages."""

from typing import Final

from google.api_core import exceptions as google_errors
from google.api_core.retry import AsyncRetry, if_exception_type
from google.pubsub_v1 import PublisherAsyncClient, SubscriberAsyncClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcAsyncIOTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcAsyncIOTransport

from signalbox_core.pubsub.channel import open_channel

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
    transport = PublisherGrpcAsyncIOTransport(channel=open_channel(emulator_host))
    return PublisherAsyncClient(transport=transport)


def subscriber_client(emulator_host: str | None) -> SubscriberAsyncClient:
    """Must be called with a running loop: the channel belongs to it."""
    transport = SubscriberGrpcAsyncIOTransport(channel=open_channel(emulator_host))
    return SubscriberAsyncClient(transport=transport)


async def disconnect(client: PublisherAsyncClient | SubscriberAsyncClient) -> None:
    await client.transport.close()  # type: ignore[no-untyped-call]
