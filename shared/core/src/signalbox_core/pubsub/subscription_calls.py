"""The calls of a subscriber to one subscription, on plain protobuf messages."""

from collections.abc import AsyncIterator, Sequence
from typing import Final, TypeAlias

import grpc
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from signalbox_core.pubsub import wire
from signalbox_core.pubsub.channel import retry_transient, routing

PullStream: TypeAlias = grpc.aio.StreamStreamCall[Message, wire.StreamingPullResponse]
_CALL_TIMEOUT_S: Final = 60.0


class SubscriptionCalls:
    """Every method raises `grpc.aio.AioRpcError`."""

    def __init__(self, channel: grpc.aio.Channel, path: str) -> None:
        self._channel = channel
        self._path = path

    def streaming_pull(self, requests: AsyncIterator[wire.StreamingPullRequest]) -> PullStream:
        call = self._channel.stream_stream(
            "/google.pubsub.v1.Subscriber/StreamingPull",
            request_serializer=wire.StreamingPullRequest.SerializeToString,
            response_deserializer=wire.StreamingPullResponse.FromString,
        )
        return call(requests)

    async def acknowledge(self, ack_ids: Sequence[str]) -> None:
        request = wire.AcknowledgeRequest(subscription=self._path, ack_ids=ack_ids)
        await self._send("Acknowledge", request, _CALL_TIMEOUT_S)

    async def modify_deadline(
        self, ack_ids: Sequence[str], seconds: int, *, timeout_s: float = _CALL_TIMEOUT_S
    ) -> None:
        """Extend leases; zero seconds is a negative acknowledgement."""
        request = wire.ModifyAckDeadlineRequest(
            subscription=self._path, ack_ids=ack_ids, ack_deadline_seconds=seconds
        )
        await self._send("ModifyAckDeadline", request, timeout_s)

    async def seek(self, to: Timestamp, *, timeout_s: float) -> None:
        """Seek to a time; transient errors are retried for `timeout_s`."""
        request = wire.SeekRequest(subscription=self._path, time=to)
        await retry_transient(lambda: self._send("Seek", request, timeout_s), within_s=timeout_s)

    async def _send(self, method: str, request: Message, timeout_s: float) -> bytes:
        """Send a call whose response has no content that anything reads."""
        call: grpc.aio.UnaryUnaryMultiCallable[Message, bytes] = self._channel.unary_unary(
            f"/google.pubsub.v1.Subscriber/{method}",
            request_serializer=lambda body: body.SerializeToString(),
            response_deserializer=bytes,
        )
        return await call(request, timeout=timeout_s, metadata=routing("subscription", self._path))
