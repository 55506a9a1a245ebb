"""gRPC channels to Google Cloud Pub/Sub, or to an emulator when its address is given, and retries of calls.

Services send plain messages (`wire`): Google's clients take longer to import than all else in a service.
Reads no environment variables.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar, cast
from urllib.parse import quote

import grpc

R = TypeVar("R")

# gRPC's default reconnect backoff grows to two minutes, too long after a restart of the server.
OPTIONS: Final[Sequence[tuple[str, int]]] = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.max_receive_message_length", 12 << 20),
    ("grpc.max_send_message_length", 12 << 20),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
)
_HOST: Final = "pubsub.googleapis.com"
_SCOPES: Final = (
    "https://www.googleapis.com/auth/cloud-platform",
    "https://www.googleapis.com/auth/pubsub",
)
_TRANSIENT: Final = frozenset(
    {
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.UNKNOWN,
    }
)
_FIRST_DELAY_S: Final = 0.05
_MAX_DELAY_S: Final = 1.0


def open_channel(emulator_host: str | None) -> grpc.aio.Channel:
    """Must be called with a running loop: the channel belongs to it."""
    if emulator_host:
        return grpc.aio.insecure_channel(emulator_host, options=OPTIONS)
    # Imported here, since services beside an emulator need no credentials.
    from google.api_core.grpc_helpers_async import create_channel

    channel = create_channel(_HOST, default_scopes=_SCOPES, default_host=_HOST, options=OPTIONS)
    return cast(grpc.aio.Channel, channel)


async def retry_transient(attempt: Callable[[], Awaitable[R]], *, within_s: float) -> R:
    """Call `attempt`, and again with exponential backoff after a transient error; for unary calls only.

    Raises:
        grpc.aio.AioRpcError: an error that is not transient, or the last one after `within_s`.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_s
    delay_s = _FIRST_DELAY_S
    while True:
        try:
            return await attempt()
        except grpc.aio.AioRpcError as error:
            wait_s = random.uniform(0.5, 1.0) * delay_s
            if error.code() not in _TRANSIENT or loop.time() + wait_s > deadline:
                raise
        await asyncio.sleep(wait_s)
        delay_s = min(_MAX_DELAY_S, 2 * delay_s)


def describe_error(error: grpc.aio.AioRpcError) -> str:
    """Return the status and the message on one line."""
    return f"{error.code().name}: {error.details()}"


def routing(name: str, value: str) -> tuple[tuple[str, str]]:
    """Return the metadata by which Google routes a call that names this resource."""
    return (("x-goog-request-params", f"{name}={quote(value, safe='')}"),)


def topic_path(project: str, topic: str) -> str:
    return f"projects/{project}/topics/{topic}"


def subscription_path(project: str, subscription: str) -> str:
    return f"projects/{project}/subscriptions/{subscription}"
