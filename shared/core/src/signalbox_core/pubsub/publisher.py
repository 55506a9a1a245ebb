"""Publishing events: one request in flight per (topic, ordering key), and everything that waits goes in the next one.

Google's asynchronous client has no batching and its synchronous one needs a thread per call; this is the small middle.
"""

import asyncio
import logging
from collections import deque
from types import TracebackType
from typing import Final, Protocol, Self

from google.api_core.exceptions import GoogleAPICallError, InvalidArgument, NotFound, RetryError
from google.pubsub_v1.types import PublishRequest, PubsubMessage

from signalbox_core.errors import InvalidInput, SignalboxError, Unavailable
from signalbox_core.events.envelope import CloudEvent
from signalbox_core.pubsub.connections import disconnect, publisher_client, retry_for, topic_path
from signalbox_core.pubsub.messages import to_message

log = logging.getLogger(__name__)

MAX_BATCH_MESSAGES: Final = 1_000
MAX_BATCH_BYTES: Final = 5_000_000
_ATTEMPT_S: Final = 5.0


class Publisher(Protocol):
    """Where events go."""

    async def publish(self, topic: str, event: CloudEvent, *, ordering_key: str) -> str:
        """Publish and return the message id once the server has promised to keep it.

        Raises:
            InvalidInput: the event does not fit a message.
            Unavailable: not acknowledged in time; it may have been published, so publish it again with the same event id.
        """
        ...


class PubSubPublisher:
    """Publishes to Pub/Sub; an asynchronous context manager, one per process.

    At most `max_waiting` messages wait at a time: beyond that, `publish` waits for room, within its own time limit.

    Args:
        timeout_s: how long a message is tried; covers waiting, sending and retries.
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
        self._room = asyncio.Semaphore(max_waiting)
        self._lanes: dict[tuple[str, str], deque[_Waiting]] = {}
        self._tasks = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        self._client = publisher_client(self._emulator_host)
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Send what still waits (each message keeps its time limit), then disconnect."""
        try:
            await self._tasks.__aexit__(kind, error, trace)
        finally:
            await disconnect(self._client)

    async def publish(self, topic: str, event: CloudEvent, *, ordering_key: str) -> str:
        """See `Publisher.publish`. Messages of one key are sent in the order of the calls."""
        message = to_message(event)
        waiting = _Waiting(
            PubsubMessage(data=message.data, attributes=message.attributes, ordering_key=ordering_key)
        )
        try:
            async with asyncio.timeout(self._timeout_s), self._room:
                self._queue(topic, ordering_key, waiting)
                return await waiting.message_id
        except TimeoutError:
            raise Unavailable(
                f"Pub/Sub did not acknowledge an event for topic {topic} within {self._timeout_s:g} s; try again"
            ) from None

    def _queue(self, topic: str, ordering_key: str, waiting: "_Waiting") -> None:
        lane = self._lanes.get((topic, ordering_key))
        if lane is None:
            lane = self._lanes[topic, ordering_key] = deque()
            self._tasks.create_task(self._drain(topic, ordering_key, lane))
        lane.append(waiting)

    async def _drain(self, topic: str, ordering_key: str, lane: "deque[_Waiting]") -> None:
        """Send until the lane is empty; it ends with its last message."""
        batch: list[_Waiting] = []
        error: SignalboxError = Unavailable(
            f"the publisher was closed before it could publish to topic {topic}; try again"
        )
        try:
            while lane:
                batch = _next_batch(lane)
                await self._send(topic, batch)
        except SignalboxError as refusal:
            error = refusal
        except Exception as bug:
            log.exception("publishing failed unexpectedly", extra={"topic": topic})
            error = Unavailable(f"publishing to topic {topic} failed ({type(bug).__name__}); try again")
        finally:
            del self._lanes[topic, ordering_key]
            # What waits behind a failed message fails with it: a retry must not be overtaken within its key.
            for waiting in (*batch, *lane):
                waiting.fail(error)

    async def _send(self, topic: str, batch: "list[_Waiting]") -> None:
        request = PublishRequest(
            topic=topic_path(self._project, topic), messages=[waiting.message for waiting in batch]
        )
        retry = retry_for(self._timeout_s)
        try:
            response = await self._client.publish(
                request=request, retry=retry, timeout=min(_ATTEMPT_S, self._timeout_s)
            )
        except (GoogleAPICallError, RetryError) as error:
            log.warning(
                "publish failed", extra={"topic": topic, "messages": len(batch), "error": str(error)[:500]}
            )
            raise _translated(topic, error) from error
        for waiting, message_id in zip(batch, response.message_ids, strict=True):
            waiting.succeed(message_id)


class _Waiting:
    """One message and the caller that waits for its id; the caller may have given up."""

    def __init__(self, message: PubsubMessage) -> None:
        self.message = message
        self.size_bytes = PubsubMessage.pb(message).ByteSize()
        self.message_id: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def succeed(self, message_id: str) -> None:
        if not self.message_id.done():
            self.message_id.set_result(message_id)

    def fail(self, error: SignalboxError) -> None:
        if not self.message_id.done():
            self.message_id.set_exception(error)


def _next_batch(lane: "deque[_Waiting]") -> "list[_Waiting]":
    batch = [lane.popleft()]
    size = batch[0].size_bytes
    while lane and len(batch) < MAX_BATCH_MESSAGES and size + lane[0].size_bytes <= MAX_BATCH_BYTES:
        size += lane[0].size_bytes
        batch.append(lane.popleft())
    return batch


def _translated(topic: str, error: GoogleAPICallError | RetryError) -> SignalboxError:
    if isinstance(error, NotFound):
        return Unavailable(f"Pub/Sub topic {topic} does not exist: run `signalbox-admin provision`")
    if isinstance(error, InvalidArgument):
        return InvalidInput(f"Pub/Sub refused the event for topic {topic}: {error.message}", field="event")
    return Unavailable(f"Pub/Sub is not reachable for topic {topic} ({type(error).__name__}); try again")
