"""All operations of the API. The ASGI routes and the OpenAPI document are both built from this table."""

from msgspec import Struct

from signalbox_gateway.api.access.link_decisions import LinkDecisionHandlers
from signalbox_gateway.api.access.passkeys import PasskeyHandlers
from signalbox_gateway.api.access.tokens import TokenHandlers
from signalbox_gateway.api.approval_stream import ApprovalStream
from signalbox_gateway.api.approvals import ApprovalHandlers
from signalbox_gateway.api.artifacts import ArtifactHandler
from signalbox_gateway.api.autoscaler import AutoscalerHandlers
from signalbox_gateway.api.destinations import DestinationHandlers
from signalbox_gateway.api.endpoint import Endpoint
from signalbox_gateway.api.health import HealthHandlers
from signalbox_gateway.api.inbound.callbacks import CallbackHandler
from signalbox_gateway.api.inbound.external_events import ExternalEventHandlers
from signalbox_gateway.api.inbound.webhooks import WebhookHandler
from signalbox_gateway.api.ledger import LedgerHandlers
from signalbox_gateway.api.payload_codec import PayloadCodecHandler
from signalbox_gateway.api.pipelines import PipelineHandlers
from signalbox_gateway.api.reference.docs_page import ApiDocsHandlers
from signalbox_gateway.api.retry import RetryHandler
from signalbox_gateway.api.routes.approvals import approval_routes
from signalbox_gateway.api.routes.callbacks import callback_routes
from signalbox_gateway.api.routes.control import control_routes
from signalbox_gateway.api.routes.destinations import destination_routes
from signalbox_gateway.api.routes.external_events import external_event_routes
from signalbox_gateway.api.routes.ledger import ledger_routes
from signalbox_gateway.api.routes.links import link_routes
from signalbox_gateway.api.routes.operations import (
    autoscaler_routes,
    codec_routes,
    service_routes,
    system_routes,
)
from signalbox_gateway.api.routes.passkeys import passkey_routes
from signalbox_gateway.api.routes.presence import presence_routes
from signalbox_gateway.api.routes.runs import pipeline_routes, run_routes, upload_routes
from signalbox_gateway.api.routes.schedules import schedule_routes
from signalbox_gateway.api.routes.sessions import session_routes, token_routes
from signalbox_gateway.api.routes.webhooks import webhook_routes
from signalbox_gateway.api.run_input import RunInputHandler
from signalbox_gateway.api.runs import RunHandlers
from signalbox_gateway.api.schedules.handlers import ScheduleHandlers
from signalbox_gateway.api.schedules.trigger import ScheduleTrigger
from signalbox_gateway.api.search.run_list import RunListHandler
from signalbox_gateway.api.sessions import SessionHandlers
from signalbox_gateway.api.start_run import StartRunHandler
from signalbox_gateway.api.system import SystemHandlers
from signalbox_gateway.api.uploads import UploadHandler
from signalbox_gateway.api.votes.bulk_decisions import BulkDecisionHandler
from signalbox_gateway.api.votes.presence import PresenceHandlers


class RouteHandlers(Struct, frozen=True, kw_only=True):
    """The objects whose methods handle the operations."""

    pipelines: PipelineHandlers
    start_run: StartRunHandler
    run_list: RunListHandler
    runs: RunHandlers
    run_input: RunInputHandler
    retry: RetryHandler
    artifacts: ArtifactHandler
    approvals: ApprovalHandlers
    bulk_decisions: BulkDecisionHandler
    approval_stream: ApprovalStream
    presence: PresenceHandlers
    external_events: ExternalEventHandlers
    callbacks: CallbackHandler
    webhooks: WebhookHandler
    ledger: LedgerHandlers
    destinations: DestinationHandlers
    links: LinkDecisionHandlers
    schedules: ScheduleHandlers
    schedule_trigger: ScheduleTrigger
    uploads: UploadHandler
    autoscaler: AutoscalerHandlers
    system: SystemHandlers
    codec: PayloadCodecHandler
    sessions: SessionHandlers
    tokens: TokenHandlers
    passkeys: PasskeyHandlers
    health: HealthHandlers
    docs: ApiDocsHandlers


def build_routes(handlers: RouteHandlers) -> tuple[Endpoint, ...]:
    """Every operation, in the order of the documentation. Paths do not overlap."""
    return (
        *pipeline_routes(handlers.pipelines),
        *run_routes(
            handlers.start_run, handlers.run_list, handlers.runs, handlers.run_input, handlers.artifacts
        ),
        *control_routes(handlers.runs, handlers.retry),
        *approval_routes(handlers.approvals, handlers.bulk_decisions, handlers.approval_stream),
        *presence_routes(handlers.presence),
        *external_event_routes(handlers.external_events),
        *callback_routes(handlers.callbacks),
        *webhook_routes(handlers.webhooks),
        *link_routes(handlers.links),
        *ledger_routes(handlers.ledger),
        *destination_routes(handlers.destinations),
        *schedule_routes(handlers.schedules, handlers.schedule_trigger),
        *upload_routes(handlers.uploads),
        *autoscaler_routes(handlers.autoscaler),
        *system_routes(handlers.system),
        *session_routes(handlers.sessions),
        *token_routes(handlers.tokens),
        *passkey_routes(handlers.passkeys),
        *codec_routes(handlers.codec),
        *service_routes(handlers.health, handlers.docs),
    )
