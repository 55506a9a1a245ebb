"""What a subscriber does with one message: decode, hand over, and decide between acknowledging and delivering again."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from enum import StrEnum

import msgspec

from signalbox_core.errors import InvalidInput, Rejected, Unavailable
from signalbox_core.events.envelope import CloudEvent
from signalbox_core.pubsub.messages import from_message

log = logging.getLogger(__name__)


class Delivered(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it came from a subscription, not yet decoded."""

    data: bytes
    attributes: Mapping[str, str]
    message_id: str
    ordering_key: str
    delivery_attempt: int
    published_at: datetime


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """An event as a handler gets it. At least once: handlers are idempotent by (source, id).

    Attributes:
        delivery_attempt: from 1; 0 when the subscription has no dead-letter policy and does not count.
    """

    event: CloudEvent
    message_id: str
    ordering_key: str
    delivery_attempt: int
    published_at: datetime


Handler = Callable[[Received], Awaitable[None]]


class Outcome(StrEnum):
    """What became of one delivery, for metrics."""

    HANDLED = "handled"
    REJECTED = "rejected"
    """The handler raised Rejected: it would again, so the message is acknowledged."""
    UNDECODABLE = "undecodable"
    """Not an event: acknowledged too."""
    RETRIED = "retried"
    """The handler failed: the message comes again."""

    @property
    def is_final(self) -> bool:
        return self is not Outcome.RETRIED


async def handle(handler: Handler, delivered: Delivered, *, timeout_s: float) -> Outcome:
    """Run the handler; the edge where errors become acknowledge or deliver again."""
    facts: dict[str, object] = {
        "message_id": delivered.message_id,
        "delivery_attempt": delivered.delivery_attempt,
    }
    try:
        event = from_message(delivered.data, delivered.attributes)
    except InvalidInput as error:
        log.error("undecodable message dropped", extra={**facts, "error": error.detail})
        return Outcome.UNDECODABLE
    facts |= {"event_id": event.id, "event_type": event.type, "run_id": event.runid}
    received = Received(
        event=event,
        message_id=delivered.message_id,
        ordering_key=delivered.ordering_key,
        delivery_attempt=delivered.delivery_attempt,
        published_at=delivered.published_at,
    )
    try:
        async with asyncio.timeout(timeout_s):
            await handler(received)
    except Rejected as error:
        log.error("event rejected", extra={**facts, "code": error.stable_code, "error": error.detail})
        return Outcome.REJECTED
    except Unavailable as error:
        log.warning("event comes again", extra={**facts, "code": error.stable_code, "error": error.detail})
        return Outcome.RETRIED
    except Exception:  # the edge: a handler's bug must not end the subscriber
        log.exception("event handler failed, event comes again", extra=facts)
        return Outcome.RETRIED
    return Outcome.HANDLED
