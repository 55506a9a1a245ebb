"""Receives events by streaming pull; extends leases while handlers run, and reconnects until cancelled.

Every stream has `retry=None`: the client's own retry hangs silently after a restart of the server.
Google's server sends a keep-alive on an idle stream, its emulator sends nothing before the first message.
A unary call then shows that the server responds.
"""

import asyncio
import logging
import random
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Final, Protocol
from uuid import uuid4

from google.api_core.exceptions import (
    ClientError,
    GoogleAPICallError,
    InvalidArgument,
    MethodNotImplemented,
    NotFound,
    PermissionDenied,
    RetryError,
    Unauthenticated,
)
from google.pubsub_v1 import SubscriberAsyncClient
from google.pubsub_v1.types import StreamingPullRequest, StreamingPullResponse

from signalbox_core.errors import Rejected, Unavailable
from signalbox_core.pubsub.ack_batcher import PING_INTERVAL_S, AckBatcher
from signalbox_core.pubsub.connections import disconnect, retry_for, subscriber_client, subscription_path
from signalbox_core.pubsub.dispatch import Handler, MessageHandler, PulledMessage, dispatch, traced
from signalbox_core.pubsub.inflight import InflightMessages, Observe, SubscriberLimits
from signalbox_core.traces import Tracing

log = logging.getLogger(__name__)

_SILENCE_TIMEOUT_S: Final = 3 * PING_INTERVAL_S
_CONFIRM_INTERVAL_S: Final = 1.0
_CONFIRM_TIMEOUT_S: Final = 5.0
_FINAL_FLUSH_TIMEOUT_S: Final = 2.0
_SEEK_TIMEOUT_S: Final = 10.0
_BACKOFF_S: Final = (0.1, 5.0)
_CONFIGURATION_ERRORS: Final = (NotFound, PermissionDenied, Unauthenticated)


class EventSource(Protocol):
    """Delivers events to a handler."""

    async def run(self, handler: Handler) -> None:
        """Deliver every event to `handler` until cancelled: at least once, and each ordering key in order."""
        ...


class MessageSource(Protocol):
    """Delivers messages as they are, which may be no CloudEvents."""

    async def run_messages(self, handler: MessageHandler) -> None:
        """Deliver every message to `handler` until cancelled; one that is not handled is redelivered."""
        ...


class Subscriber:
    """Consumes one subscription.

    Args:
        emulator_host: `host:port` of a local server; None for Google's.
        observe: called with the outcome of each message, for metrics.
        silence_timeout_s: after this time without a response the stream is opened again.
        tracing: handles each event in a span named by the subscription; None: in no span.
    """

    def __init__(  # noqa: PLR0913 - each is one aspect of the subscription
        self,
        project: str,
        subscription: str,
        *,
        emulator_host: str | None = None,
        limits: SubscriberLimits = SubscriberLimits(),  # noqa: B008 - frozen
        observe: Observe = lambda _: None,
        silence_timeout_s: float = _SILENCE_TIMEOUT_S,
        tracing: Tracing | None = None,
    ) -> None:
        self._subscription = subscription
        self._tracing = tracing
        self._path = subscription_path(project, subscription)
        self._emulator_host = emulator_host
        self._limits = limits
        self._observe = observe
        self._silence_timeout_s = silence_timeout_s
        # Stable across reconnects: the server can then keep the affinity of ordering keys.
        self._client_id = str(uuid4())
        self.is_connected = False

    async def run(self, handler: Handler) -> None:
        """See `EventSource.run`. When cancelled, messages in flight are released for immediate redelivery."""
        if self._tracing is not None:
            handler = traced(handler, f"process {self._subscription}", self._tracing)
        await self.run_messages(partial(dispatch, handler, timeout_s=self._limits.handler_s))

    async def run_messages(self, handler: MessageHandler) -> None:
        """See `MessageSource.run_messages`."""
        client = subscriber_client(self._emulator_host)
        batcher = AckBatcher()
        inflight = InflightMessages(handler, batcher, limits=self._limits, observe=self._observe)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._extend_leases(inflight))
                await self._stay_connected(client, inflight, batcher, tasks)
        finally:
            self.is_connected = False
            inflight.release_all()
            with suppress(TimeoutError, GoogleAPICallError):
                async with asyncio.timeout(_FINAL_FLUSH_TIMEOUT_S):
                    await self._flush(client, batcher)
            await disconnect(client)

    async def seek(self, to: datetime) -> None:
        """Seek to a time: everything retained since then is redelivered, acknowledged or not.

        Raises:
            Unavailable: Pub/Sub does not respond.
            Rejected: the subscription does not exist, permission is missing, or the server cannot seek.
        """
        client = subscriber_client(self._emulator_host)
        try:
            await client.seek(
                {"subscription": self._path, "time": to},
                retry=retry_for(_SEEK_TIMEOUT_S),
                timeout=_SEEK_TIMEOUT_S,
            )
        except (ClientError, MethodNotImplemented) as error:
            raise Rejected(f"{self._path} cannot seek: {error}") from error
        except (GoogleAPICallError, RetryError) as error:
            raise Unavailable(f"{self._path} did not seek: {error}") from error
        finally:
            await disconnect(client)

    async def _stay_connected(
        self,
        client: SubscriberAsyncClient,
        inflight: InflightMessages,
        batcher: AckBatcher,
        tasks: asyncio.TaskGroup,
    ) -> None:
        failures = 0
        while True:
            try:
                await self._read_stream(client, inflight, batcher, tasks)
                reason: object = "closed by the server"
            except GoogleAPICallError as error:
                reason = error
            except TimeoutError:
                if await self._responds(client):
                    self.is_connected = True
                    continue
                reason = f"no response for {self._silence_timeout_s:g} s"
            failures = 1 if self.is_connected else failures + 1
            self.is_connected = False
            level = logging.ERROR if isinstance(reason, _CONFIGURATION_ERRORS) else logging.INFO
            log.log(
                level,
                "pull stream ended; reconnecting",
                extra={"subscription": self._path, "reason": str(reason)[:300]},
            )
            await asyncio.sleep(_backoff_s(failures) * random.uniform(0.5, 1.0))

    async def _read_stream(
        self,
        client: SubscriberAsyncClient,
        inflight: InflightMessages,
        batcher: AckBatcher,
        tasks: asyncio.TaskGroup,
    ) -> None:
        stream = await client.streaming_pull(
            requests=batcher.requests(self._first_request()), retry=None, timeout=None
        )
        responses = aiter(stream)
        confirming = tasks.create_task(self._confirm(client))
        try:
            while True:
                async with asyncio.timeout(self._silence_timeout_s):
                    response = await anext(responses, None)
                if response is None:
                    return
                self.is_connected = True
                self._accept(response, inflight, tasks)
                await inflight.wait_for_capacity(2 * self._limits.max_outstanding)
        finally:
            confirming.cancel()
            stream.cancel()  # type: ignore[attr-defined]  # a call, annotated as an iterable

    async def _confirm(self, client: SubscriberAsyncClient) -> None:
        """Set `is_connected` for a stream on which no response arrives, if the server responds otherwise."""
        while not self.is_connected:
            await asyncio.sleep(_CONFIRM_INTERVAL_S)
            if await self._responds(client):
                self.is_connected = True

    async def _responds(self, client: SubscriberAsyncClient) -> bool:
        """Send a call without effect, which needs no other permission than the stream does."""
        try:
            await client.modify_ack_deadline(
                subscription=self._path,
                ack_ids=[],
                ack_deadline_seconds=0,
                retry=None,
                timeout=_CONFIRM_TIMEOUT_S,
            )
        except InvalidArgument:
            # Google's server and its emulator require an id; so this one is a response of a working server.
            return True
        except GoogleAPICallError:
            return False
        return True

    def _accept(
        self, response: StreamingPullResponse, inflight: InflightMessages, tasks: asyncio.TaskGroup
    ) -> None:
        raw = StreamingPullResponse.pb(response)
        is_ordered = self._limits.keeps_order and raw.subscription_properties.message_ordering_enabled
        for received in raw.received_messages:
            message = received.message
            pulled = PulledMessage(
                data=message.data,
                attributes=dict(message.attributes),
                message_id=message.message_id,
                ordering_key=message.ordering_key,
                delivery_attempt=received.delivery_attempt,
                published_at=message.publish_time.ToDatetime(UTC),
            )
            inflight.add(pulled, received.ack_id, is_ordered=is_ordered, tasks=tasks)

    def _first_request(self) -> StreamingPullRequest:
        return StreamingPullRequest(
            subscription=self._path,
            stream_ack_deadline_seconds=self._limits.lease_s,
            client_id=self._client_id,
            max_outstanding_messages=self._limits.max_outstanding,
            protocol_version=1,
        )

    async def _extend_leases(self, inflight: InflightMessages) -> None:
        while True:
            await asyncio.sleep(self._limits.lease_s / 3)
            inflight.extend_leases(self._limits.lease_s)

    async def _flush(self, client: SubscriberAsyncClient, batcher: AckBatcher) -> None:
        while request := batcher.next_request():
            if request.ack_ids:
                await client.acknowledge(subscription=self._path, ack_ids=request.ack_ids, retry=None)
            if request.modify_deadline_ack_ids:
                await client.modify_ack_deadline(
                    subscription=self._path,
                    ack_ids=request.modify_deadline_ack_ids,
                    ack_deadline_seconds=0,
                    retry=None,
                )


def _backoff_s(failures: int) -> float:
    first, longest = _BACKOFF_S
    return min(longest, first * 2.0 ** min(failures - 1, 10))
