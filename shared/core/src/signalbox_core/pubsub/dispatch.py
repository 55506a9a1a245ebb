"""Dispatches one message to its handler, and maps the result to acknowledgement or redelivery."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from enum import StrEnum

import msgspec

from signalbox_core.errors import InvalidInput, Rejected, SignalboxError, Unavailable
from signalbox_core.events.envelope import CloudEvent
from signalbox_core.pubsub.messages import from_message
from signalbox_core.traces import SpanKind, Tracing, parse_traceparent

log = logging.getLogger(__name__)


class PulledMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message as pulled from a subscription, not decoded."""

    data: bytes
    attributes: Mapping[str, str]
    message_id: str
    ordering_key: str
    delivery_attempt: int
    published_at: datetime


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """An event as a handler receives it. Delivery is at-least-once: handlers are idempotent by (source, id).

    Attributes:
        delivery_attempt: from 1; 0 when the subscription has no dead-letter policy, which disables the
            counter.
    """

    event: CloudEvent
    message_id: str
    ordering_key: str
    delivery_attempt: int
    published_at: datetime


Handler = Callable[[Received], Awaitable[None]]
MessageHandler = Callable[[PulledMessage], Awaitable["DispatchOutcome"]]
"""Handles a message that may be no CloudEvent, and decides whether it is acknowledged. It does not raise."""


def traced(handler: Handler, name: str, tracing: Tracing) -> Handler:
    """Run `handler` in a span of the trace that the event belongs to; without a trace in none."""

    async def handle(received: Received) -> None:
        event = received.event
        parent = parse_traceparent(event.traceparent)
        if parent is None:
            await handler(received)
            return
        with tracing.span(name, parent=parent, kind=SpanKind.CONSUMER) as span:
            if span is not None:
                span.set(
                    {
                        "signalbox.run_id": event.runid,
                        "signalbox.tenant": event.tenantid,
                        "signalbox.event": event.name,
                        "signalbox.attempt": received.delivery_attempt,
                    }
                )
            await handler(received)

    return handle


class DispatchOutcome(StrEnum):
    """The result of one message, for metrics."""

    HANDLED = "handled"
    REJECTED = "rejected"
    """The handler raised Rejected; a retry would fail too, so the message is acknowledged."""
    UNDECODABLE = "undecodable"
    """Not an event, or not the one that was approved; acknowledged."""
    RETRIED = "retried"
    """The handler failed; the message is redelivered."""

    @property
    def is_final(self) -> bool:
        return self is not DispatchOutcome.RETRIED


async def dispatch(handler: Handler, message: PulledMessage, *, timeout_s: float) -> DispatchOutcome:
    """Run the handler, and translate its errors into an outcome."""
    try:
        event = from_message(message.data, message.attributes)
    except InvalidInput as error:
        log.error("undecodable message dropped", extra=_facts(message, error=error))
        return DispatchOutcome.UNDECODABLE
    received = Received(
        event=event,
        message_id=message.message_id,
        ordering_key=message.ordering_key,
        delivery_attempt=message.delivery_attempt,
        published_at=message.published_at,
    )
    try:
        async with asyncio.timeout(timeout_s):
            await handler(received)
    except Rejected as error:
        log.error("event rejected", extra=_facts(message, event, error))
        return DispatchOutcome.REJECTED
    except Unavailable as error:
        log.warning("event will be redelivered", extra=_facts(message, event, error))
        return DispatchOutcome.RETRIED
    except Exception:  # edge: a bug in a handler must not stop the subscriber
        log.exception("event handler failed; event will be redelivered", extra=_facts(message, event))
        return DispatchOutcome.RETRIED
    return DispatchOutcome.HANDLED


def _facts(
    message: PulledMessage, event: CloudEvent | None = None, error: SignalboxError | None = None
) -> dict[str, object]:
    """Return the facts of a log line about a message that was not handled."""
    facts: dict[str, object] = {
        "message_id": message.message_id,
        "delivery_attempt": message.delivery_attempt,
    }
    if event is not None:
        trace = parse_traceparent(event.traceparent)
        facts |= {"event_id": event.id, "event_type": event.type, "run_id": event.runid}
        facts |= {"trace_id": trace.trace_id} if trace is not None else {}
    return facts | ({"code": error.stable_code, "error": error.detail} if error is not None else {})
