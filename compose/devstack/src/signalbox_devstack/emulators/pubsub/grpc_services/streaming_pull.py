"""StreamingPull: one task reads the client's requests, another writes messages, confirmations and pongs."""

import asyncio
from collections import deque
from typing import Final

import grpc

from signalbox_devstack.emulators.pubsub import wire
from signalbox_devstack.emulators.pubsub.backlog import MAX_RESPONSE_MESSAGES
from signalbox_devstack.emulators.pubsub.broker import Broker
from signalbox_devstack.emulators.pubsub.deliveries import Consumer
from signalbox_devstack.emulators.pubsub.errors import PubsubError, invalid, unavailable
from signalbox_devstack.emulators.pubsub.subscription import SubscriptionState
from signalbox_devstack.emulators.pubsub.validation import check_ack_deadline

Call = grpc.aio.ServicerContext[wire.StreamingPullRequest, wire.StreamingPullResponse]

_PONG_SINCE_PROTOCOL: Final = 1
_RECYCLED: Final = "The service was unable to fulfill your request. Please try again. [code=8a75]"


class StreamingPull:
    """Serves streams.

    Each is closed after `stream_s` seconds, as Google does, with an error and never with OK.
    """

    def __init__(self, broker: Broker, stream_s: float) -> None:
        self._broker = broker
        self._stream_s = stream_s

    async def serve(self, call: Call) -> None:
        first = await _next(call)
        if first is None:
            return
        subscription = self._broker.subscription(first.subscription)
        subscription.check_pull()
        check_ack_deadline(first.stream_ack_deadline_seconds)
        session = _PullStream(self._broker, subscription, first, call)
        try:
            async with asyncio.timeout(self._stream_s), asyncio.TaskGroup() as tasks:
                reader = tasks.create_task(session.read(first))
                await session.write()
                reader.cancel()
        except TimeoutError:
            raise unavailable(_RECYCLED) from None
        if session.error is not None:
            raise session.error


async def _next(call: Call) -> wire.StreamingPullRequest | None:
    """The client's next request; None when it has closed its side."""
    request: object = await call.read()
    return request if isinstance(request, wire.StreamingPullRequest) else None


class _PullStream:
    def __init__(
        self, broker: Broker, subscription: SubscriptionState, first: wire.StreamingPullRequest, call: Call
    ) -> None:
        self._broker = broker
        self._subscription = subscription
        self._call = call
        self._wake = asyncio.Event()
        self._replies: deque[wire.StreamingPullResponse] = deque()
        self._client_is_done = False
        self.error: PubsubError | None = None
        self._pongs = first.protocol_version >= _PONG_SINCE_PROTOCOL
        self._consumer = Consumer(
            wake=self._wake.set,
            ack_deadline_s=first.stream_ack_deadline_seconds,
            max_messages=first.max_outstanding_messages,
            max_bytes=first.max_outstanding_bytes,
        )

    async def read(self, first: wire.StreamingPullRequest) -> None:
        """Apply the client's requests until it closes its side or sends an invalid one."""
        try:
            self._apply(first)
            while (request := await _next(self._call)) is not None:
                if request.subscription:
                    raise invalid("The subscription must be set in the first request of a stream only.")
                if self._pongs and not request.ack_ids and not request.modify_deadline_ack_ids:
                    self._reply(self._response())
                self._apply(request)
        except PubsubError as error:
            self.error = error
        self._client_is_done = True
        self._wake.set()

    async def write(self) -> None:
        """Send replies and messages until the client closes its side or the stream ends with an error."""
        with self._subscription.consumer(self._consumer):
            try:
                while not self._client_is_done:
                    await self._write_pending()
                    await self._wake.wait()
                    self._wake.clear()
            except PubsubError as error:
                self.error = error

    async def _write_pending(self) -> None:
        while True:
            # A confirmation is sent only after the acknowledgement is committed.
            await self._broker.journal.committed()
            while self._replies:
                await self._call.write(self._replies.popleft())
            if self._broker.is_closing:
                raise unavailable("The server is shutting down.")
            self._subscription.check_pull()
            deliveries = self._subscription.take(self._consumer, MAX_RESPONSE_MESSAGES)
            if not deliveries:
                return
            received = self._subscription.received(deliveries)
            await self._broker.journal.committed()
            await self._call.write(self._response(received))

    def _apply(self, request: wire.StreamingPullRequest) -> None:
        if len(request.modify_deadline_ack_ids) != len(request.modify_deadline_seconds):
            raise invalid("modify_deadline_ack_ids and modify_deadline_seconds must have the same length.")
        if request.stream_ack_deadline_seconds:
            check_ack_deadline(request.stream_ack_deadline_seconds)
            self._consumer.ack_deadline_s = request.stream_ack_deadline_seconds
        acked = self._subscription.acknowledge(request.ack_ids)
        extended = self._subscription.extend(
            zip(request.modify_deadline_ack_ids, request.modify_deadline_seconds, strict=True)
        )
        if self._subscription.backlog.policy.exactly_once and (
            request.ack_ids or request.modify_deadline_ack_ids
        ):
            self._reply(self._confirmation(acked, extended))

    def _confirmation(
        self, acked: tuple[list[str], list[str]], extended: tuple[list[str], list[str]]
    ) -> wire.StreamingPullResponse:
        response = wire.StreamingPullResponse
        acks = response.AcknowledgeConfirmation(ack_ids=acked[0], invalid_ack_ids=acked[1])
        moves = response.ModifyAckDeadlineConfirmation(ack_ids=extended[0], invalid_ack_ids=extended[1])
        return response(
            acknowledge_confirmation=acks if any(acked) else None,
            modify_ack_deadline_confirmation=moves if any(extended) else None,
            subscription_properties=self._properties(),
        )

    def _response(self, received: list[wire.ReceivedMessage] | None = None) -> wire.StreamingPullResponse:
        return wire.StreamingPullResponse(
            received_messages=received or [], subscription_properties=self._properties()
        )

    def _properties(self) -> wire.StreamingPullResponse.SubscriptionProperties:
        policy = self._subscription.backlog.policy
        return wire.StreamingPullResponse.SubscriptionProperties(
            exactly_once_delivery_enabled=policy.exactly_once, message_ordering_enabled=policy.ordered
        )

    def _reply(self, response: wire.StreamingPullResponse) -> None:
        self._replies.append(response)
        self._wake.set()
