"""An in-memory Pub/Sub with the guarantees of the real one, without a server.

Messages pass through the same encoding and error handling as in production.
"""

import asyncio
from collections import defaultdict, deque
from datetime import UTC, datetime
from itertools import count

import msgspec

from signalbox_core.errors import SignalboxError
from signalbox_core.events.envelope import CloudEvent
from signalbox_core.pubsub.dispatch import DispatchOutcome, Handler, PulledMessage, dispatch
from signalbox_core.pubsub.messages import from_message, to_message


class Published(msgspec.Struct, frozen=True, kw_only=True):
    topic: str
    event: CloudEvent
    ordering_key: str
    message_id: str


class FakePublisher:
    """A `Publisher` that records what it publishes.

    Attributes:
        published: the acknowledged events, in order.
        failures: errors to raise, one per call.
    """

    def __init__(self) -> None:
        self.published: list[Published] = []
        self.failures: deque[SignalboxError] = deque()
        self._numbers = count(1)
        self._arrived: list[asyncio.Event] = []

    async def publish(self, topic: str, event: CloudEvent, *, ordering_key: str) -> str:
        message = to_message(event)
        if self.failures:
            raise self.failures.popleft()
        message_id = str(next(self._numbers))
        decoded = from_message(message.data, message.attributes)
        self.published.append(
            Published(topic=topic, event=decoded, ordering_key=ordering_key, message_id=message_id)
        )
        for arrived in self._arrived:
            arrived.set()
        return message_id

    def events(self, topic: str) -> list[CloudEvent]:
        return [each.event for each in self.published if each.topic == topic]

    def watch(self, arrived: asyncio.Event) -> None:
        """Set `arrived` on every publish."""
        self._arrived.append(arrived)


class FakeSubscriber:
    """An `EventSource` of one `FakePublisher` topic: in order, redelivering a failed message before the next.

    Attributes:
        outcomes: the outcome of each delivery.
    """

    def __init__(self, publisher: FakePublisher, topic: str) -> None:
        self.outcomes: list[DispatchOutcome] = []
        self._publisher = publisher
        self._topic = topic
        self._arrived = asyncio.Event()
        publisher.watch(self._arrived)

    async def run(self, handler: Handler) -> None:
        position, attempts = 0, defaultdict[str, int](int)
        while True:
            published = [each for each in self._publisher.published if each.topic == self._topic]
            if position == len(published):
                self._arrived.clear()
                await self._arrived.wait()
                continue
            attempts[published[position].message_id] += 1
            outcome = await dispatch(
                handler,
                _pulled(published[position], attempts[published[position].message_id]),
                timeout_s=60,
            )
            self.outcomes.append(outcome)
            position += outcome.is_final
            await asyncio.sleep(0)


def _pulled(published: Published, attempt: int) -> PulledMessage:
    message = to_message(published.event)
    return PulledMessage(
        data=message.data,
        attributes=message.attributes,
        message_id=published.message_id,
        ordering_key=published.ordering_key,
        delivery_attempt=attempt,
        published_at=datetime.now(UTC),
    )
