"""Publishes events in batches: one request in flight per (topic, ordering key).

Google's asynchronous client has no batching, and its synchronous one needs a thread per call.
"""

import asyncio
import logging
from collections import deque
from types import TracebackType
from typing import Any, Final, Protocol, Self

from google.api_core.exceptions import GoogleAPICallError, InvalidArgument, NotFound, RetryError

from signalbox_core.errors import InvalidInput, SignalboxError, Unavailable
from signalbox_core.events.envelope import CloudEvent
from signalbox_core.pubsub.connections import (
    RawMessage,
    disconnect,
    publish_method,
    publisher_client,
    retry_for,
    topic_path,
)
from signalbox_core.pubsub.messages import to_message

log = logging.getLogger(__name__)

MAX_BATCH_MESSAGES: Final = 1_000
MAX_BATCH_BYTES: Final = 5_000_000
_ATTEMPT_TIMEOUT_S: Final = 5.0


class Publisher(Protocol):
    """Publishes events to topics."""

    async def publish(self, topic: str, event: CloudEvent, *, ordering_key: str) -> str:
        """Publish an event and return its message id once the server has stored it.

        Raises:
            InvalidInput: the event does not fit a message.
            Unavailable: not acknowledged in time. It may have been published: retry with the same event id.
        """
        ...


class PubSubPublisher:
    """Publishes to Pub/Sub; an asynchronous context manager, one per process.

    At most `max_waiting` messages are pending; beyond that, `publish` waits for capacity within its timeout.

    Args:
        timeout_s: per message; covers queueing, sending and retries.
        emulator_host: `host:port` of a local server; None for Google's.
    """

    def __init__(
        self,
        project: str,
        *,
        emulator_host: str | None = None,
        timeout_s: float = 10.0,
        max_waiting: int = 10_000,
    ) -> None:
        self._project = project
        self._emulator_host = emulator_host
        self._timeout_s = timeout_s
        self._capacity = asyncio.Semaphore(max_waiting)
        self._lanes: dict[tuple[str, str], deque[_PendingMessage]] = {}
        self._tasks = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        self._client = publisher_client(self._emulator_host)
        self._publish = retry_for(self._timeout_s)(publish_method(self._client))
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Flush pending messages (each within its timeout), then disconnect."""
        try:
            await self._tasks.__aexit__(kind, error, trace)
        finally:
            await disconnect(self._client)

    async def publish(self, topic: str, event: CloudEvent, *, ordering_key: str) -> str:
        """See `Publisher.publish`. Messages of one key are sent in the order of the calls."""
        message = to_message(event)
        pending = _PendingMessage(
            RawMessage(data=message.data, attributes=message.attributes, ordering_key=ordering_key)
        )
        try:
            async with asyncio.timeout(self._timeout_s), self._capacity:
                self._queue(topic, ordering_key, pending)
                return await pending.message_id
        except TimeoutError:
            raise Unavailable(
                f"Pub/Sub did not acknowledge an event for topic {topic} "
                f"within {self._timeout_s:g} s; try again"
            ) from None

    def _queue(self, topic: str, ordering_key: str, pending: "_PendingMessage") -> None:
        lane = self._lanes.get((topic, ordering_key))
        if lane is None:
            lane = self._lanes[topic, ordering_key] = deque()
            self._tasks.create_task(self._drain(topic, ordering_key, lane))
        lane.append(pending)

    async def _drain(self, topic: str, ordering_key: str, lane: "deque[_PendingMessage]") -> None:
        """Send batches until the lane is empty; the lane ends with its last message."""
        batch: list[_PendingMessage] = []
        error: SignalboxError = Unavailable(
            f"the publisher was closed before it could publish to topic {topic}; try again"
        )
        try:
            while lane:
                if lane[0].is_abandoned:
                    raise Unavailable(f"an earlier event for topic {topic} was not published; try again")
                batch = _next_batch(lane)
                await self._send(topic, batch)
        except SignalboxError as refusal:
            error = refusal
        except Exception as bug:
            log.exception("publishing failed unexpectedly", extra={"topic": topic})
            error = Unavailable(f"publishing to topic {topic} failed ({type(bug).__name__}); try again")
        finally:
            del self._lanes[topic, ordering_key]
            # Messages behind a failed or abandoned one fail too, so that its retry keeps the order within the
            # key.
            for pending in (*batch, *lane):
                pending.fail(error)

    async def _send(self, topic: str, batch: "list[_PendingMessage]") -> None:
        try:
            message_ids = await self._publish(
                topic_path(self._project, topic),
                [pending.message for pending in batch],
                min(_ATTEMPT_TIMEOUT_S, self._timeout_s),
            )
        except (GoogleAPICallError, RetryError) as error:
            log.warning(
                "publish failed", extra={"topic": topic, "messages": len(batch), "error": str(error)[:500]}
            )
            raise _map_error(topic, error) from error
        for pending, message_id in zip(batch, message_ids, strict=True):
            pending.succeed(message_id)


class _PendingMessage:
    """One message, and a future for the caller that awaits its id; the caller may have been cancelled."""

    def __init__(self, message: Any) -> None:
        self.message = message
        self.size_bytes: int = message.ByteSize()
        self.message_id: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    @property
    def is_abandoned(self) -> bool:
        """Whether its caller gave up waiting before it was sent, and will send it again."""
        return self.message_id.done()

    def succeed(self, message_id: str) -> None:
        if not self.message_id.done():
            self.message_id.set_result(message_id)

    def fail(self, error: SignalboxError) -> None:
        if not self.message_id.done():
            self.message_id.set_exception(error)


def _next_batch(lane: "deque[_PendingMessage]") -> "list[_PendingMessage]":
    batch = [lane.popleft()]
    size = batch[0].size_bytes
    while lane and len(batch) < MAX_BATCH_MESSAGES and size + lane[0].size_bytes <= MAX_BATCH_BYTES:
        if lane[0].is_abandoned:
            break
        size += lane[0].size_bytes
        batch.append(lane.popleft())
    return batch


def _map_error(topic: str, error: GoogleAPICallError | RetryError) -> SignalboxError:
    if isinstance(error, NotFound):
        return Unavailable(f"Pub/Sub topic {topic} does not exist: run `signalbox-admin provision`")
    if isinstance(error, InvalidArgument):
        return InvalidInput(f"Pub/Sub refused the event for topic {topic}: {error.message}", field="event")
    return Unavailable(f"Pub/Sub is not reachable for topic {topic} ({type(error).__name__}); try again")
