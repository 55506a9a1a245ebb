"""Sends notifications of approvals. Pub/Sub keeps what is not delivered yet, and redelivers with backoff."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from msgspec.structs import replace

from signalbox_core.errors import RateLimited, SignalboxError, Unavailable
from signalbox_core.events.snapshot import ApprovalState, Snapshot
from signalbox_core.ids import derived_id
from signalbox_core.process.followed_file import FollowedFile
from signalbox_core.pubsub import EventSource, Received, SubscriberLimits
from signalbox_core.traces import SpanKind, Tracing, parse_traceparent
from signalbox_gateway.http.metrics import NotificationMetrics
from signalbox_gateway.notifications.deliveries import DeliveryClaim, DeliveryRecords
from signalbox_gateway.notifications.notification import (
    HEADLINES,
    MAX_AGE,
    PENDING,
    Notification,
    addressees_of,
    approval_of,
    is_obsolete,
    notification_of,
)
from signalbox_gateway.notifications.notification_links import NotificationLinks
from signalbox_gateway.notifications.routes_file import AnyDestination, NotificationRoutes, kind_of

log = logging.getLogger(__name__)
NOTIFIER_LIMITS: Final = SubscriberLimits(concurrency=32, handler_s=90.0, max_outstanding=200)
ReadSnapshot = Callable[[str, str], Awaitable[Snapshot | None]]


class Notifier:
    """Delivers each notification to each of its destinations once, over restarts and over all gateways.

    A delivery is claimed in Redis before it is attempted and recorded after it was accepted. The event is
    acknowledged when all its deliveries are settled. If a gateway is killed between the acceptance and the
    record, the delivery is repeated with the same id.

    Args:
        source: the subscription `notifier`.
        read_snapshot: reads a run by tenant and run id.
    """

    def __init__(  # noqa: PLR0913 - each is one part
        self,
        source: EventSource,
        routes: FollowedFile[NotificationRoutes],
        records: DeliveryRecords,
        read_snapshot: ReadSnapshot,
        metrics: NotificationMetrics,
        links: NotificationLinks,
        *,
        tracing: Tracing | None = None,
    ) -> None:
        self._source = source
        self._routes = routes
        self._records = records
        self._read_snapshot = read_snapshot
        self._metrics = metrics
        self._links = links
        self._tracing = tracing or Tracing()

    async def run(self) -> None:
        """Notify until cancelled."""
        await self._source.run(self.notify)

    async def notify(self, received: Received) -> None:
        """Attempt the deliveries of one event that are not settled.

        Raises:
            Unavailable: a delivery has to be attempted again; the event is redelivered.
        """
        event = received.event
        routes = self._routes.current()
        if event.name not in HEADLINES or not routes.concerns(event.tenantid, event.name):
            return
        snapshot = await self._read_snapshot(event.tenantid, event.runid)
        state = approval_of(event, snapshot)
        destinations = routes.select(event.tenantid, event.name, addressees_of(event, state))
        if is_obsolete(event, state, datetime.now(UTC)):
            for destination in destinations.values():
                self._metrics.count(kind_of(destination), "obsolete")
            return
        notification = notification_of(event, state, snapshot, origin=self._links.origin)
        trace = parse_traceparent(event.traceparent)
        with self._tracing.span("notify", parent=trace, kind=SpanKind.CONSUMER):
            settled = await asyncio.gather(
                *(
                    self._deliver(routes, self._with_link(notification, snapshot, state, item), name, item)
                    for name, item in destinations.items()
                )
            )
        if not all(settled):
            raise Unavailable(f"{settled.count(False)} of {len(settled)} deliveries have to be repeated")

    def _with_link(
        self,
        notification: Notification,
        snapshot: Snapshot | None,
        state: ApprovalState | None,
        destination: AnyDestination,
    ) -> Notification:
        """Add the decision link of the destination's recipient, where links are permitted."""
        recipient = destination.link_recipient
        if recipient is None or snapshot is None or state is None:
            return notification
        if notification.event not in PENDING:
            return notification
        link = self._links.decision_link(snapshot, state, recipient, datetime.now(UTC))
        return replace(notification, decide_url=link)

    async def _deliver(
        self, routes: NotificationRoutes, notification: Notification, name: str, destination: AnyDestination
    ) -> bool:
        """Attempt one delivery; returns whether it is settled."""
        delivery = derived_id(notification.tenant, notification.id, name)
        claim = await self._records.claim(delivery)
        if claim is not DeliveryClaim.GRANTED:
            return claim is DeliveryClaim.SETTLED
        error = await self._attempt(routes, notification, destination)
        if error is None:
            await self._records.settle(delivery, "sent")
            await self._note(notification, name, destination, "sent")
            return True
        if isinstance(error, Unavailable) and datetime.now(UTC) - notification.at < MAX_AGE:
            wait_s = error.retry_after_s if isinstance(error, RateLimited) else 0.0
            await self._records.release(delivery, timedelta(seconds=wait_s))
            await self._note(notification, name, destination, "retried", error)
            return False
        await self._records.settle(delivery, "failed")
        await self._note(notification, name, destination, "failed", error)
        return True

    async def _attempt(
        self, routes: NotificationRoutes, notification: Notification, destination: AnyDestination
    ) -> SignalboxError | None:
        try:
            with self._tracing.span(f"send {kind_of(destination)}", kind=SpanKind.CLIENT) as span:
                if span is not None:
                    span.set(
                        {
                            "signalbox.run_id": notification.run_id,
                            "signalbox.tenant": notification.tenant,
                            "signalbox.event": notification.event,
                        }
                    )
                await destination.send(notification, routes.context)
        except SignalboxError as error:
            return error
        except Exception:  # edge: a bug in one kind must not keep the others from being notified
            log.exception("notification not sent", extra={"kind": kind_of(destination)})
            return Unavailable("internal error; see the log")
        return None

    async def _note(
        self,
        notification: Notification,
        name: str,
        destination: AnyDestination,
        result: Literal["sent", "retried", "failed"],
        error: SignalboxError | None = None,
    ) -> None:
        """Log, count and record the result of an attempt."""
        kind, detail = kind_of(destination), error.detail if error is not None else None
        self._metrics.count(kind, result)
        facts = {
            "tenant": notification.tenant,
            "destination": name,
            "kind": kind,
            "event": notification.event,
            "run_id": notification.run_id,
            "approval_id": notification.approval_id,
        }
        if result == "sent":
            log.info("notification sent", extra=facts)
        else:
            level = logging.WARNING if result == "retried" else logging.ERROR
            log.log(level, f"notification {result}", extra={**facts, "error": detail})
        status: Literal["ok", "retrying", "failed"] = _STATUS[result]
        await self._records.record(notification.tenant, name, status, detail)


_STATUS: Final[dict[str, Literal["ok", "retrying", "failed"]]] = {
    "sent": "ok",
    "retried": "retrying",
    "failed": "failed",
}
