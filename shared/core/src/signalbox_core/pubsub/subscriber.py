"""Receiving events: one streaming pull, leases extended while handlers work, reconnected for ever.

`retry=None` throughout: the client's own retry hangs silently after a server's restart.
"""

import asyncio
import logging
import random
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final, Protocol
from uuid import uuid4

from google.api_core.exceptions import (
    ClientError,
    GoogleAPICallError,
    MethodNotImplemented,
    NotFound,
    PermissionDenied,
    RetryError,
    Unauthenticated,
)
from google.pubsub_v1 import SubscriberAsyncClient
from google.pubsub_v1.types import StreamingPullRequest, StreamingPullResponse

from signalbox_core.errors import Rejected, Unavailable
from signalbox_core.pubsub.ack_batcher import PING_EVERY_S, Outgoing
from signalbox_core.pubsub.connections import disconnect, retry_for, subscriber_client, subscription_path
from signalbox_core.pubsub.dispatch import Delivered, Handler
from signalbox_core.pubsub.inflight import InHand, Limits, Observe

log = logging.getLogger(__name__)

_SILENCE_S: Final = 3 * PING_EVERY_S
_GOODBYE_S: Final = 2.0
_REWIND_S: Final = 10.0
_BACKOFF_S: Final = (0.1, 5.0)
_NEEDS_AN_OPERATOR: Final = (NotFound, PermissionDenied, Unauthenticated)


class EventSource(Protocol):
    """Where a consumer's events come from."""

    async def run(self, handler: Handler) -> None:
        """Hand every event to `handler` until cancelled: at least once, each ordering key in order and one at a time."""
        ...


class Subscriber:
    """Reads one subscription.

    Args:
        emulator_host: `host:port` of a local server; None for Google's.
        observe: called with each delivery's outcome, for metrics.
    """

    def __init__(
        self,
        project: str,
        subscription: str,
        *,
        emulator_host: str | None = None,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        observe: Observe = lambda _: None,
    ) -> None:
        self._path = subscription_path(project, subscription)
        self._emulator_host = emulator_host
        self._limits = limits
        self._observe = observe
        # The same across reconnects: the server may then keep ordering keys with us.
        self._client_id = str(uuid4())
        self.is_connected = False

    async def run(self, handler: Handler) -> None:
        """See `EventSource.run`. What is in hand when it is cancelled is given back at once."""
        client = subscriber_client(self._emulator_host)
        outgoing = Outgoing()
        in_hand = InHand(handler, outgoing, limits=self._limits, observe=self._observe)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._extend_leases(in_hand))
                await self._stay_connected(client, in_hand, outgoing, tasks)
        finally:
            self.is_connected = False
            in_hand.give_back_all()
            with suppress(TimeoutError, GoogleAPICallError):
                async with asyncio.timeout(_GOODBYE_S):
                    await self._say_goodbye(client, outgoing)
            await disconnect(client)

    async def rewind(self, to: datetime) -> None:
        """Have everything published since `to` delivered again, acknowledged or not, as far as the topic keeps it.

        Raises:
            Unavailable: Pub/Sub does not answer.
            Rejected: it refuses: no such subscription, no permission, or a server that cannot seek.
        """
        client = subscriber_client(self._emulator_host)
        try:
            await client.seek(
                {"subscription": self._path, "time": to}, retry=retry_for(_REWIND_S), timeout=_REWIND_S
            )
        except (ClientError, MethodNotImplemented) as error:
            raise Rejected(f"{self._path} cannot be rewound: {error}") from error
        except (GoogleAPICallError, RetryError) as error:
            raise Unavailable(f"{self._path} is not rewound yet: {error}") from error
        finally:
            await disconnect(client)

    async def _stay_connected(
        self, client: SubscriberAsyncClient, in_hand: InHand, outgoing: Outgoing, tasks: asyncio.TaskGroup
    ) -> None:
        failures = 0
        while True:
            try:
                await self._read_stream(client, in_hand, outgoing, tasks)
                reason: object = "closed by the server"
            except (GoogleAPICallError, TimeoutError) as error:
                reason = error if isinstance(error, GoogleAPICallError) else f"silent for {_SILENCE_S:g} s"
            failures = 1 if self.is_connected else failures + 1
            self.is_connected = False
            level = logging.ERROR if isinstance(reason, _NEEDS_AN_OPERATOR) else logging.INFO
            log.log(
                level,
                "stream ended, connecting again",
                extra={"subscription": self._path, "reason": str(reason)[:300]},
            )
            await asyncio.sleep(_backoff_s(failures) * random.uniform(0.5, 1.0))

    async def _read_stream(
        self, client: SubscriberAsyncClient, in_hand: InHand, outgoing: Outgoing, tasks: asyncio.TaskGroup
    ) -> None:
        stream = await client.streaming_pull(
            requests=outgoing.requests(self._first_request()), retry=None, timeout=None
        )
        responses = aiter(stream)
        try:
            while True:
                async with asyncio.timeout(_SILENCE_S):
                    response = await anext(responses, None)
                if response is None:
                    return
                self.is_connected = True
                self._accept(response, in_hand, tasks)
                await in_hand.room(2 * self._limits.max_outstanding)
        finally:
            stream.cancel()  # type: ignore[attr-defined]  # it is a call, annotated as an iterable

    def _accept(self, response: StreamingPullResponse, in_hand: InHand, tasks: asyncio.TaskGroup) -> None:
        raw = StreamingPullResponse.pb(response)
        is_ordered = raw.subscription_properties.message_ordering_enabled
        for received in raw.received_messages:
            message = received.message
            delivered = Delivered(
                data=message.data,
                attributes=dict(message.attributes),
                message_id=message.message_id,
                ordering_key=message.ordering_key,
                delivery_attempt=received.delivery_attempt,
                published_at=message.publish_time.ToDatetime(UTC),
            )
            in_hand.accept(delivered, received.ack_id, is_ordered=is_ordered, tasks=tasks)

    def _first_request(self) -> StreamingPullRequest:
        return StreamingPullRequest(
            subscription=self._path,
            stream_ack_deadline_seconds=self._limits.lease_s,
            client_id=self._client_id,
            max_outstanding_messages=self._limits.max_outstanding,
            protocol_version=1,
        )

    async def _extend_leases(self, in_hand: InHand) -> None:
        while True:
            await asyncio.sleep(self._limits.lease_s / 3)
            in_hand.extend_leases(self._limits.lease_s)

    async def _say_goodbye(self, client: SubscriberAsyncClient, outgoing: Outgoing) -> None:
        while request := outgoing.next_request():
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
