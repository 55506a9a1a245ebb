"""The composition root: opens the clients, wires the parts, and assembles the ASGI app."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from importlib.metadata import version

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Route

from signalbox_core.http.health import no_metrics
from signalbox_core.process.open_files import open_file_limit
from signalbox_core.scaling.decisions import ScalingDecisionStream
from signalbox_gateway.api.access.link_decisions import LinkDecisionHandlers
from signalbox_gateway.api.access.passkeys import PasskeyHandlers
from signalbox_gateway.api.access.tokens import TokenHandlers
from signalbox_gateway.api.approval_stream import ApprovalStream
from signalbox_gateway.api.approvals import ApprovalHandlers
from signalbox_gateway.api.artifacts import ArtifactHandler
from signalbox_gateway.api.autoscaler import AutoscalerHandlers
from signalbox_gateway.api.destinations import DestinationHandlers
from signalbox_gateway.api.endpoint import asgi_routes, on_http_exception
from signalbox_gateway.api.health import HealthHandlers
from signalbox_gateway.api.inbound.callbacks import CallbackHandler
from signalbox_gateway.api.inbound.external_events import ExternalEventHandlers
from signalbox_gateway.api.inbound.webhooks import WebhookHandler
from signalbox_gateway.api.ledger import LedgerHandlers
from signalbox_gateway.api.payload_codec import PayloadCodecHandler
from signalbox_gateway.api.pipelines import PipelineHandlers
from signalbox_gateway.api.reference.docs_page import ApiDocsHandlers
from signalbox_gateway.api.reference.openapi import build_document
from signalbox_gateway.api.retry import RetryHandler, RetryStarter
from signalbox_gateway.api.routes.table import RouteHandlers, build_routes
from signalbox_gateway.api.run_input import RunInputHandler
from signalbox_gateway.api.runs import RunHandlers
from signalbox_gateway.api.schedules.handlers import ScheduleHandlers
from signalbox_gateway.api.schedules.recorded_changes import RecordedChanges
from signalbox_gateway.api.schedules.trigger import ScheduleTrigger
from signalbox_gateway.api.schedules.views import ScheduleViews
from signalbox_gateway.api.search.run_list import RunListHandler
from signalbox_gateway.api.sessions import SessionHandlers
from signalbox_gateway.api.start_run import IdempotencyKeys, RunIds, StartRunHandler
from signalbox_gateway.api.system import SystemHandlers
from signalbox_gateway.api.uploads import UploadHandler
from signalbox_gateway.api.votes.bulk_decisions import BulkDecisionHandler
from signalbox_gateway.api.votes.presence import PresenceHandlers
from signalbox_gateway.api.votes.vote_sender import VoteSender
from signalbox_gateway.auth.authenticator import Authenticator
from signalbox_gateway.auth.rate_limits import redis_request_limiter
from signalbox_gateway.auth.scoped_tokens import ScopedTokens
from signalbox_gateway.auth.sessions import SessionStore, TicketStore
from signalbox_gateway.background.condition_monitor import ConditionMonitor
from signalbox_gateway.background.event_consumer import EventConsumer
from signalbox_gateway.background.ledger_writer import LedgerWriter
from signalbox_gateway.background.pending_work import PendingWorkReader
from signalbox_gateway.background.projector import Projector
from signalbox_gateway.background.reconciler import Reconciler
from signalbox_gateway.background.recovery import StreamRecovery
from signalbox_gateway.background.repairs import Repairs
from signalbox_gateway.background.run_statistics import RunStatistics
from signalbox_gateway.background.start_consumer import StartConsumer
from signalbox_gateway.background.supervisor import run_in_background
from signalbox_gateway.http.cors import Cors
from signalbox_gateway.http.metrics import Metrics
from signalbox_gateway.http.middleware import RequestObserver
from signalbox_gateway.notifications.deliveries import DeliveryRecords
from signalbox_gateway.parts import Parts, open_parts
from signalbox_gateway.passkeys.decision_signatures import DecisionSignatures
from signalbox_gateway.passkeys.ledger_entries import record_in_ledger
from signalbox_gateway.passkeys.registration import PasskeyRegistration
from signalbox_gateway.passkeys.relying_party import read_relying_party
from signalbox_gateway.passkeys.store import PasskeyStore
from signalbox_gateway.runs.conditions import RunConditions
from signalbox_gateway.runs.decide import Decisions
from signalbox_gateway.runs.fleet import FleetReader
from signalbox_gateway.runs.inbound.event_delivery import InboundDelivery
from signalbox_gateway.runs.inbound.external_events import ExternalEvents
from signalbox_gateway.runs.inbound.keyed_delivery import EventStarts, KeyedDelivery
from signalbox_gateway.runs.inbound.run_delivery import RunDelivery
from signalbox_gateway.runs.inbox import InboxReader
from signalbox_gateway.runs.lookup import RunReader
from signalbox_gateway.runs.pending_starts import PendingStarts
from signalbox_gateway.runs.resets import RunResets
from signalbox_gateway.runs.starts.run_starter import RunStarter
from signalbox_gateway.runs.temporal import TemporalRuns
from signalbox_gateway.runs.views import present
from signalbox_gateway.schedules.limits import schedule_limits
from signalbox_gateway.schedules.store import ScheduleStore
from signalbox_gateway.streaming.access import StreamAccess
from signalbox_gateway.streaming.endpoint import StreamEndpoint
from signalbox_gateway.streaming.hub import Hub
from signalbox_gateway.streaming.limits import StreamLimits, stream_limits
from signalbox_gateway.streaming.refusals import StreamRefusals
from signalbox_gateway.web import console_routes

__all__ = ["Gateway", "Parts", "open_parts"]

log = logging.getLogger(__name__)


class Gateway:
    """The assembled gateway: its ASGI app, its background loops, and its graceful shutdown."""

    def __init__(
        self, parts: Parts, *, deadline: timedelta = timedelta(seconds=5), limits: StreamLimits | None = None
    ) -> None:
        self._parts = parts
        self.metrics = Metrics()
        engine = TemporalRuns(parts.temporal, parts.workflow_rules(), deadline=deadline)
        waiting = PendingStarts(parts.redis, parts.publisher, parts.payload_keys)
        availability, measured = engine.availability, self.metrics.reconciler
        repairs = Repairs(parts.streams, engine, parts.pipelines, measured.count_repair)
        self._conditions = conditions = RunConditions(parts.redis, measured.record_held)
        self.states = RunReader(parts.streams, engine, parts.pipelines, waiting, conditions)
        sessions, passkeys = SessionStore(parts.redis), PasskeyStore(parts.objects)
        self._limiter = redis_request_limiter(parts.redis, parts.settings)
        tickets, self._scoped_tokens = TicketStore(parts.redis), ScopedTokens(parts.redis)
        self.authenticator = Authenticator(
            parts.keys,
            parts.tokens,
            self._scoped_tokens,
            sessions=sessions,
            tickets=tickets,
            public_origin=parts.settings.public_origin,
        )
        self._ledger = LedgerWriter(parts.redis, parts.ledger, parts.open_log, self.metrics.ledger)
        self._notifier = parts.create_notifier(self.states.find, self.metrics.notifications)
        probes = {
            "redis": parts.redis_answers,
            "temporal": engine.is_available,
            "pubsub": parts.pubsub_is_connected,
            "ledger": self._ledger.is_healthy,
        }
        self.health = HealthHandlers(
            probes,
            self.metrics,
            warnings=parts.pipeline_problems,
            more_metrics=parts.sdk_metrics.read if parts.sdk_metrics is not None else no_metrics,
        )
        self.hub = Hub(
            parts.channels,
            parts.streams,
            self.states.first_snapshot,
            lambda snapshot, epoch: present(conditions.annotate(snapshot), epoch),
            limits or stream_limits(parts.settings, open_file_limit()),
            on_event=self.metrics.streams.record_delay,
        )
        self.metrics.streams.observe(
            listeners=lambda: self.hub.listener_count, watched_runs=lambda: self.hub.watched_runs
        )
        recovery = StreamRecovery(parts.redis, parts.lifecycle.seek, engine)
        self._projector = Projector(
            parts.lifecycle,
            parts.streams,
            recovery.on_projected,
            self.metrics.streams.record_projected,
            tracing=parts.tracing,
        )
        reader = PendingWorkReader(parts.temporal, engine.workflow_ids)
        monitor = ConditionMonitor(engine, reader, conditions, parts.streams, parts.publisher)
        self._reconciler = Reconciler(
            parts.redis, parts.streams, engine, parts.pipelines, recovery=recovery, metrics=measured
        )
        self._leader_tasks = (
            monitor.check,
            RunStatistics(parts.temporal, parts.streams, parts.pipelines, measured).measure,
        )
        self._starter = StartConsumer(parts.requests, waiting, engine, availability, parts.pipelines, repairs)
        # For an update. The rest of the deadline is for the signal that follows when no worker responds.
        within = deadline * 0.6
        decisions = Decisions(parts.temporal, engine.workflow_ids, availability, within=within)
        events, inbox = ExternalEvents(engine, within=within), InboxReader(parts.streams)
        starter = RunStarter(engine, waiting, self.states.remember_start)
        to_run = RunDelivery(self.states, events, parts.pipelines)
        keyed = KeyedDelivery(events, EventStarts(starter, waiting, parts.payload_keys), parts.pipelines)
        delivery = InboundDelivery(self.states, to_run, keyed)
        self._event_consumers = [
            EventConsumer(*each, delivery, self.metrics.inbound.count) for each in parts.event_subscriptions
        ]
        party = read_relying_party(parts.settings.passkey_rp_id, parts.settings.passkey_origins)
        record = record_in_ledger(parts.open_log if parts.ledger_signers else None)
        votes = VoteSender(self.states, decisions, parts.pipelines, DecisionSignatures(party, passkeys))
        approvals = ApprovalHandlers(self.states, inbox, decisions, votes)
        schedules = ScheduleStore(parts.temporal, deadline=deadline, limits=schedule_limits(parts.settings))
        run_ids = RunIds(IdempotencyKeys(parts.redis), self._scoped_tokens)
        self._handlers = RouteHandlers(
            pipelines=PipelineHandlers(parts.pipelines),
            start_run=StartRunHandler(engine, starter, parts.pipelines, run_ids, waiting, parts.payload_keys),
            run_list=RunListHandler(engine, parts.pipelines, conditions, parts.streams),
            runs=RunHandlers(self.states, engine, parts.pipelines, waiting, repairs),
            retry=RetryHandler(
                self.states,
                RetryStarter(engine, parts.temporal, parts.streams, parts.pipelines, parts.payload_keys),
                RunResets(parts.temporal, deadline=deadline),
                repairs,
                IdempotencyKeys(parts.redis),
            ),
            run_input=RunInputHandler(self.states, parts.temporal, engine.workflow_ids, deadline=deadline),
            artifacts=ArtifactHandler(self.states, parts.objects),
            approvals=approvals,
            bulk_decisions=BulkDecisionHandler(self.states, votes, self._limiter),
            approval_stream=ApprovalStream(self.hub, inbox, self.authenticator.principal),
            presence=PresenceHandlers(self.states, parts.redis),
            external_events=ExternalEventHandlers(self.states, to_run, keyed),
            callbacks=CallbackHandler(parts.payload_keys, events, parts.pipelines, self._limiter),
            webhooks=WebhookHandler(parts.webhooks, delivery, self._limiter, self.metrics.inbound),
            ledger=LedgerHandlers(parts.objects, [signer.verifier for signer in parts.ledger_signers]),
            links=LinkDecisionHandlers(parts.link_keys, self.states, approvals, parts.redis, self._limiter),
            destinations=DestinationHandlers(parts.notification_routes, DeliveryRecords(parts.redis)),
            schedules=ScheduleHandlers(
                RecordedChanges(schedules, parts.record_change),
                ScheduleViews(self.states, parts.pipelines),
                parts.pipelines,
                parts.payload_keys,
            ),
            schedule_trigger=ScheduleTrigger(schedules, engine, IdempotencyKeys(parts.redis)),
            uploads=UploadHandler(parts.objects),
            autoscaler=AutoscalerHandlers(
                ScalingDecisionStream(parts.redis), self.hub, self.authenticator.principal
            ),
            system=SystemHandlers(
                FleetReader(parts.temporal, parts.pipelines.values(), deadline=deadline), parts.keys
            ),
            codec=PayloadCodecHandler(parts.temporal.data_converter.payload_codec),
            sessions=SessionHandlers(self.authenticator, sessions, parts.settings, parts.temporal.namespace),
            tokens=TokenHandlers(
                tickets, self._scoped_tokens, self.states, parts.pipelines, parts.record_change
            ),
            passkeys=PasskeyHandlers(party, PasskeyRegistration(parts.redis, passkeys, record), passkeys),
            health=self.health,
            docs=ApiDocsHandlers(),
        )

    def app(self) -> Starlette:
        endpoints, settings = build_routes(self._handlers), self._parts.settings
        release, server = version("signalbox-gateway"), settings.public_origin
        document = build_document(endpoints, self._parts.pipelines, version=release, server=server)
        self._handlers.docs.publish(document)
        access = StreamAccess(self.authenticator, self._scoped_tokens, self.states, self._limiter)
        refusals = StreamRefusals(self.metrics.streams.record_deferred)
        stream = StreamEndpoint(
            self.hub, access.authorize, access.authenticate, refusals=refusals, count=access.count
        )
        routes: list[BaseRoute] = [
            Route("/v1/runs/{run_id}/stream", stream),
            Route("/v1/stream", stream),
            *asgi_routes(
                endpoints,
                self.authenticator,
                self._limiter,
                scoped_tokens=self._scoped_tokens,
                stream_refusals=refusals,
                is_draining=lambda: self.hub.is_draining,
            ),
            *console_routes(),
        ]
        cors = Middleware(Cors, origins=settings.cors_origins, ui_url=settings.temporal_ui_url)
        observer = Middleware(RequestObserver, metrics=self.metrics, tracing=self._parts.tracing)
        app = Starlette(
            routes=routes,
            middleware=[observer, cors],
            exception_handlers={HTTPException: on_http_exception, Exception: on_http_exception},
            lifespan=self._lifespan,
        )
        app.router.redirect_slashes = False
        return app

    async def drain(self) -> None:
        """Begin the graceful shutdown: report not ready, then end the open streams."""
        self.health.drain()
        await self.hub.drain(timedelta(seconds=self._parts.settings.drain_s))

    def loops(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """The background loops by name."""
        parts = self._parts
        ledger = {"ledger": self._ledger.run, "changes": parts.settings_recorder().run}
        return {
            "api keys": parts.keys.run,
            "issuers": parts.tokens.run,
            "starter": self._starter.run,
            "hub": self.hub.run,
            "projector": self._projector.run,
            "reconciler": partial(self._reconciler.run, self._leader_tasks),
            "conditions": self._conditions.run,
            **{consumer.name: consumer.run for consumer in self._event_consumers},
            **(ledger if parts.ledger_signers else {}),
            **({"notifier": self._notifier.run} if self._notifier is not None else {}),
        }

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        async with run_in_background(self.loops()):
            origin = self._parts.settings.public_origin
            log.info("gateway ready", extra={"origin": origin, "pipelines": sorted(self._parts.pipelines)})
            yield
