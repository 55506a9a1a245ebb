"""The clients and files behind the gateway: opened once per process, replaced by fakes in tests."""

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError
from temporalio.client import Client

from signalbox_core.crypto.sealing import KeyRing, open_key_ring
from signalbox_core.errors import Unavailable
from signalbox_core.http.cached_document import fetch_document, open_key_client
from signalbox_core.ledger.log import TenantLog
from signalbox_core.ledger.notes import NoteSigner
from signalbox_core.objects import MutableObjectStore, open_object_store
from signalbox_core.pipeline import PipelineSpec
from signalbox_core.pipeline.contract.discovery import find_installed
from signalbox_core.process.followed_file import FollowedFile
from signalbox_core.pubsub import EventSource, MessageSource, Publisher, PubSubPublisher, Subscriber
from signalbox_core.redis.client import PUBSUB_LIMITS, map_redis_errors, open_redis
from signalbox_core.redis.sender_key_reports import ReportedSenderKey, SenderKeyReports
from signalbox_core.streams import Channels, RedisChannels, RedisRunStream, RunStream
from signalbox_core.temporal import connect
from signalbox_core.temporal.sdk_metrics import SdkMetrics
from signalbox_core.topology import LEDGER, NOTIFIER, PROJECTOR, STARTER
from signalbox_core.traces import Tracing
from signalbox_gateway.auth.authenticator import ApiKeys
from signalbox_gateway.auth.decision_links import LinkKeys, follow_link_keys
from signalbox_gateway.auth.oidc import MEDIA_TYPES, Tokens
from signalbox_gateway.background.ledger_writer import LEDGER_LIMITS, read_signers
from signalbox_gateway.background.projector import PROJECTOR_LIMITS
from signalbox_gateway.background.start_consumer import LIMITS
from signalbox_gateway.changes.change_events import RecordChange, publish_changes
from signalbox_gateway.changes.revisions import RevisionStore
from signalbox_gateway.changes.settings_recorder import SettingsInUse, SettingsRecorder
from signalbox_gateway.changes.tracked_settings import (
    api_key_items,
    link_key_items,
    payload_key_items,
    policy_items,
    sender_key_items,
)
from signalbox_gateway.http.metrics import NotificationMetrics
from signalbox_gateway.notifications.deliveries import DeliveryRecords
from signalbox_gateway.notifications.notification_links import NotificationLinks
from signalbox_gateway.notifications.notifier import NOTIFIER_LIMITS, Notifier, ReadSnapshot
from signalbox_gateway.notifications.routes_file import NotificationRoutes, follow_routes
from signalbox_gateway.runs.inbound.subscribed_events import SubscribedEvents, read_subscriptions
from signalbox_gateway.runs.inbound.webhooks import Webhooks, follow_webhooks
from signalbox_gateway.runs.run_info import WorkflowRules
from signalbox_gateway.settings import Settings

log = logging.getLogger(__name__)
_QUEUE_WITHIN_S: Final = 3.0
"""How long a start waits for Pub/Sub to store it, after it has waited for Temporal."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The clients and files behind the app; tests pass fakes where `open_parts` passes clients."""

    settings: Settings
    temporal: Client
    redis: Redis
    streams: RunStream
    channels: Channels
    lifecycle: Subscriber
    requests: EventSource
    ledger: EventSource
    notifications: EventSource
    publisher: Publisher
    objects: MutableObjectStore
    pipelines: Mapping[str, PipelineSpec]
    keys: ApiKeys
    tokens: Tokens
    sdk_metrics: SdkMetrics | None = None
    payload_keys: KeyRing | None = None
    ledger_signers: Sequence[NoteSigner] = ()
    pipeline_problems: Sequence[str] = ()
    notification_routes: FollowedFile[NotificationRoutes] | None = None
    link_keys: FollowedFile[LinkKeys] | None = None
    event_subscriptions: Sequence[tuple[SubscribedEvents, MessageSource]] = ()
    webhooks: FollowedFile[Webhooks] | None = None
    tracing: Tracing = field(default_factory=Tracing)

    async def pubsub_is_connected(self) -> bool:
        return self.lifecycle.is_connected

    async def redis_answers(self) -> bool:
        with map_redis_errors("ping"):
            return bool(await self.redis.ping())

    def workflow_rules(self) -> WorkflowRules:
        """By which runs of pipelines and plain workflows are recognised."""
        return WorkflowRules(
            queue_tenants=self.settings.tenants_by_queue, pipelines=frozenset(self.pipelines)
        )

    def create_notifier(self, read_snapshot: ReadSnapshot, metrics: NotificationMetrics) -> Notifier | None:
        """The consumer that sends notifications; None without routes.

        Args:
            read_snapshot: reads a run by tenant and run id.
        """
        if self.notification_routes is None:
            return None
        return Notifier(
            self.notifications,
            self.notification_routes,
            DeliveryRecords(self.redis),
            read_snapshot,
            metrics,
            NotificationLinks(self.settings.public_origin, self.pipelines, self.link_keys),
            tracing=self.tracing,
        )

    @property
    def open_log(self) -> partial[TenantLog]:
        """Opens the ledger of a tenant."""
        return partial(TenantLog, self.objects, signers=self.ledger_signers)

    @property
    def record_change(self) -> RecordChange:
        """Publishes a change for the ledger, if this deployment keeps one."""
        return publish_changes(self.publisher if self.ledger_signers else None)

    def settings_recorder(self) -> SettingsRecorder:
        """The loop that records changes of the keys and policies in use."""
        store = RevisionStore(self.objects)
        return SettingsRecorder(store, self._settings_in_use, self._tenants, self.record_change)

    async def _settings_in_use(self) -> SettingsInUse:
        reported = await self._reported_sender_keys()
        return {
            "api_key": api_key_items(self.keys.all),
            "payload_key": payload_key_items(self.payload_keys),
            "link_key": link_key_items(self.link_keys.current() if self.link_keys else None),
            "policy": policy_items(self.pipelines),
            **({"sender_key": sender_key_items(reported)} if reported is not None else {}),
        }

    async def _reported_sender_keys(self) -> Sequence[ReportedSenderKey] | None:
        """The receiver's keys; None if they cannot be read now, which must not hold up the other kinds."""
        try:
            return await SenderKeyReports(self.redis).load()
        except (Unavailable, RedisError, msgspec.DecodeError) as error:
            log.warning("changes of sender keys are not recorded now", extra={"error": str(error)})
            return None

    def _tenants(self) -> frozenset[str]:
        return self.tokens.tenants | {key.tenant for key in self.keys.all}


@asynccontextmanager
async def open_parts(
    settings: Settings, sdk_metrics: SdkMetrics | None = None, tracing: Tracing | None = None
) -> AsyncIterator[Parts]:
    """Open the clients. The gateway also starts while backends are unavailable; /readyz reports them.

    Args:
        sdk_metrics: the runtime of Temporal's client, whose metrics are served too; one for each process.

    Raises:
        InvalidInput: a keys file, the issuers file, the notification routes, the event subscriptions, the
            webhooks, the address of the object store or a Temporal setting is invalid; the message names it.
    """
    tracing = tracing or Tracing()
    async with AsyncExitStack() as stack:
        keys = ApiKeys(Path(settings.api_keys_file))
        web = await stack.enter_async_context(
            open_key_client(settings.issuers_ca_file, "SIGNALBOX_GATEWAY_ISSUERS_CA_FILE")
        )
        issuers = Path(settings.issuers_file) if settings.issuers_file else None
        objects = open_object_store(settings.objects_url)
        redis = open_redis(settings.redis_url)
        stack.push_async_callback(redis.aclose)
        # A channel can be silent for hours, so this connection has no read timeout.
        listening = open_redis(settings.redis_url, PUBSUB_LIMITS)
        stack.push_async_callback(listening.aclose)
        project, emulator = settings.google_cloud_project, settings.pubsub_emulator_host
        publisher = await stack.enter_async_context(
            PubSubPublisher(project, emulator_host=emulator, timeout_s=_QUEUE_WITHIN_S)
        )
        installed = find_installed()
        payload_keys = open_key_ring(settings.payload_keys_file)
        temporal = await connect(
            settings.temporal_address,
            settings.temporal_namespace,
            keys=payload_keys,
            objects=objects,
            is_lazy=True,
            runtime=sdk_metrics.runtime if sdk_metrics is not None else None,
        )
        yield Parts(
            settings=settings,
            temporal=temporal,
            redis=redis,
            streams=RedisRunStream(redis),
            channels=RedisChannels(listening),
            lifecycle=Subscriber(project, PROJECTOR, emulator_host=emulator, limits=PROJECTOR_LIMITS),
            requests=Subscriber(project, STARTER, emulator_host=emulator, limits=LIMITS, tracing=tracing),
            ledger=Subscriber(project, LEDGER, emulator_host=emulator, limits=LEDGER_LIMITS),
            notifications=Subscriber(project, NOTIFIER, emulator_host=emulator, limits=NOTIFIER_LIMITS),
            publisher=publisher,
            objects=objects,
            pipelines=installed.pipelines,
            sdk_metrics=sdk_metrics,
            pipeline_problems=installed.problems,
            keys=keys,
            tokens=Tokens(issuers, partial(fetch_document, web, media_types=MEDIA_TYPES)),
            payload_keys=payload_keys,
            ledger_signers=read_signers(settings.ledger_key_file, settings.ledger_witness_key_file),
            notification_routes=follow_routes(settings.notifications_file),
            link_keys=follow_link_keys(settings.link_keys_file),
            event_subscriptions=[
                (each, Subscriber(project, each.subscription, emulator_host=emulator))
                for each in read_subscriptions(settings.event_subscriptions_file)
            ],
            webhooks=follow_webhooks(settings.webhooks_file),
            tracing=tracing,
        )
