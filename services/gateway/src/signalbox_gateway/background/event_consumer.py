"""Consumes the messages of a subscription as external events.

A message is acknowledged when Temporal, or the queue of pending starts, has its event. What is refused is not
acknowledged: after its last attempt Pub/Sub moves it to the subscription's dead-letter topic.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final, Literal

from signalbox_core.errors import Rejected, Unavailable
from signalbox_core.pubsub import DispatchOutcome, MessageSource, PulledMessage
from signalbox_core.temporal.codec import bind_payloads_to
from signalbox_gateway.runs.inbound.event_delivery import InboundDelivery
from signalbox_gateway.runs.inbound.subscribed_events import SubscribedEvents

log = logging.getLogger(__name__)
_TIMEOUT_S: Final = 60.0

ConsumedAs = Literal["delivered", "refused", "retried"]


class EventConsumer:
    """Delivers the events of one subscription; idempotent by the event's id. Gateways share the subscription.

    Args:
        count: called with the outcome of each message.
    """

    def __init__(
        self,
        subscribed: SubscribedEvents,
        source: MessageSource,
        delivery: InboundDelivery,
        count: Callable[[str, ConsumedAs], None],
    ) -> None:
        self._subscribed = subscribed
        self._source = source
        self._delivery = delivery
        self._count = count

    @property
    def name(self) -> str:
        return f"events of {self._subscribed.subscription}"

    async def run(self) -> None:
        await self._source.run_messages(self.handle)

    async def handle(self, message: PulledMessage) -> DispatchOutcome:
        """Deliver the event of one message."""
        result = await self._consume(message)
        self._count(self._subscribed.subscription, result)
        return DispatchOutcome.HANDLED if result == "delivered" else DispatchOutcome.RETRIED

    async def _consume(self, message: PulledMessage) -> ConsumedAs:
        facts = {
            "subscription": self._subscribed.subscription,
            "tenant": self._subscribed.tenant,
            "message_id": message.message_id,
            "delivery_attempt": message.delivery_attempt,
        }
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                with bind_payloads_to(self._subscribed.tenant):
                    event, run_id = self._subscribed.read(
                        message.data, message.attributes, message.message_id
                    )
                    await self._delivery.deliver(event, run_id, self._subscribed.principal)
        except Rejected as error:
            log.error(
                "external event refused; the message is not acknowledged",
                extra={**facts, "code": error.stable_code, "error": error.detail},
            )
            return "refused"
        except (Unavailable, TimeoutError) as error:
            log.warning("external event will be redelivered", extra={**facts, "error": str(error)})
            return "retried"
        except Exception:  # edge: a bug must not stop the subscriber
            log.exception("external event could not be handled; it will be redelivered", extra=facts)
            return "retried"
        return "delivered"
