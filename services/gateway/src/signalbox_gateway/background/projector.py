"""Pub/Sub → the runs' streams: the same idempotent append as the receiver's, which repairs what that one missed."""

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime

import msgspec
from msgspec.structs import replace

from signalbox_core.errors import InvalidInput
from signalbox_core.events import MAX_SAFE_INTEGER, CloudEvent, full_type
from signalbox_core.events.catalogue import EventRefused
from signalbox_core.pubsub import EventSource, Received
from signalbox_core.streams import RunStream

log = logging.getLogger(__name__)
Saw = Callable[[datetime], Awaitable[None]]


async def _nobody_asks(_: datetime) -> None: ...


class Projector:
    """Any number of gateways share the subscription: who appends first wins, the others drop.

    Args:
        source: the subscription `projector`.
        saw: told when each event that is in its stream now was published.
    """

    def __init__(self, source: EventSource, streams: RunStream, saw: Saw = _nobody_asks) -> None:
        self._source = source
        self._streams = streams
        self._saw = saw

    async def run(self) -> None:
        await self._source.run(self.project)

    async def project(self, received: Received) -> None:
        """Append one milestone; idempotent by (run, sequence).

        Raises:
            Unavailable: Redis is away; the event comes again.
            Rejected: the event belongs nowhere.
        """
        event = received.event
        if event.sequence is None:
            log.warning(
                "event without a sequence is not projected",
                extra={"event_id": event.id, "event_type": event.type},
            )
            return
        try:
            await self._streams.append(event)
        except InvalidInput as error:
            if not 1 <= event.sequence <= MAX_SAFE_INTEGER:
                raise
            log.error(
                "unreadable event skipped",
                extra={"event_id": event.id, "run_id": event.runid, "error": error.detail},
            )
            await self._streams.append(placeholder(event, error.detail))
        await self._saw(received.published_at)


def placeholder(event: CloudEvent, reason: str) -> CloudEvent:
    """The event that stands in for one that cannot be read: without it, all later ones of the run would wait for ever."""
    data = EventRefused(name=event.name, event_id=event.id, reason=reason[:500])
    return replace(event, type=full_type("event.refused"), data=msgspec.Raw(msgspec.json.encode(data)))
