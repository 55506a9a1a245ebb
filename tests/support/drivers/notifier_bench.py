"""A notifier whose events a test publishes, with a routes file to a mailbox and an HTTP server."""

import base64
import json
from pathlib import Path

from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

from signalbox_core.events import CloudEvent
from signalbox_core.events.snapshot import Snapshot
from signalbox_core.process.followed_file import FollowedFile
from signalbox_core.pubsub import DispatchOutcome
from signalbox_core.testing.pubsub import FakePublisher, FakeSubscriber
from signalbox_core.topology import LIFECYCLE
from signalbox_gateway.auth.decision_links import LinkKeys
from signalbox_gateway.http.metrics import NotificationMetrics
from signalbox_gateway.notifications.deliveries import DeliveryRecords
from signalbox_gateway.notifications.notification_links import NotificationLinks
from signalbox_gateway.notifications.notifier import Notifier
from signalbox_gateway.notifications.routes_file import NotificationRoutes, load_routes
from support.assertions.eventually import beside, eventually
from support.servers.gateway import PIPELINES
from support.servers.notification_sinks import MailSink, WebhookSink

SECRET = base64.b64encode(b"s" * 32).decode()


def write_routes(
    folder: Path,
    mailbox: MailSink,
    hooks: WebhookSink,
    tenant: str,
    *,
    is_allowed: bool = True,
    links: bool = False,
) -> FollowedFile[NotificationRoutes]:
    origin = f"http://127.0.0.1:{hooks.port}"
    (folder / "slack").write_text(f"{origin}/slack/T0-secret")
    (folder / "teams").write_text(f"{origin}/teams/T1-secret")
    (folder / "secret").write_text(f"whsec_{SECRET}")
    destinations = {
        "lan": {"kind": "mail", "to": "lan@acme.test", "links": links, "groups": ["legal"]},
        "chat": {"kind": "slack", "url_file": "slack"},
        "team": {"kind": "teams", "url_file": "teams"},
        "crm": {"kind": "webhook", "url": f"{origin}/crm", "secret_file": "secret"},
    }
    routes = [
        {"to": list(destinations)},
        {"to": ["crm"], "events": ["approval.decided"]},
    ]
    content = {
        "mail": {
            "host": "127.0.0.1",
            "port": mailbox.port,
            "security": "none",
            "sender": "Signalbox <signalbox@example.com>",
        },
        "allow": [f"127.0.0.1:{hooks.port}"] if is_allowed else [],
        "tenants": {tenant: {"destinations": destinations, "routes": routes}},
    }
    path = folder / "notifications.json"
    path.write_text(json.dumps(content))
    return FollowedFile(path, load_routes, content="notification routes")


class NotifierBench:
    """A publisher, and notifiers whose deliveries can be counted."""

    def __init__(self, redis: Redis, routes: FollowedFile[NotificationRoutes], tenant: str) -> None:
        self.publisher = FakePublisher()
        self.tenant = tenant
        self.snapshot: Snapshot | None = None
        self.records = DeliveryRecords(redis)
        self.registry = CollectorRegistry()
        self.link_keys: FollowedFile[LinkKeys] | None = None
        self._routes = routes
        self._metrics = NotificationMetrics(self.registry)

    def notifier(self) -> tuple[Notifier, FakeSubscriber]:
        async def read_snapshot(tenant: str, _run_id: str) -> Snapshot | None:
            assert tenant == self.tenant
            return self.snapshot

        source = FakeSubscriber(self.publisher, LIFECYCLE)
        return (
            Notifier(
                source,
                self._routes,
                self.records,
                read_snapshot,
                self._metrics,
                NotificationLinks("https://signalbox.test", PIPELINES, self.link_keys),
            ),
            source,
        )

    async def publish(self, event: CloudEvent) -> None:
        await self.publisher.publish(LIFECYCLE, event, ordering_key=event.runid)

    def count(self, kind: str, result: str) -> float:
        labels = {"kind": kind, "result": result}
        return self.registry.get_sample_value("signalbox_gateway_notifications_total", labels) or 0.0

    async def deliver(self, *, ends_after: int = 1) -> list[DispatchOutcome]:
        """Run one notifier until it has acknowledged that many events."""
        notifier, source = self.notifier()

        def is_done() -> bool:
            return sum(outcome.is_final for outcome in source.outcomes) >= ends_after

        async with beside(notifier.run()):
            await eventually(is_done, within_s=60)
        return source.outcomes
