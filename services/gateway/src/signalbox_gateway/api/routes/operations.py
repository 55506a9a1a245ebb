"""Routes for operators: scaling decisions, fleet, keys, payload codec, health, metrics, documentation."""

from signalbox_core.crypto.api_keys import Role
from signalbox_gateway.api import autoscaler_schemas, schemas
from signalbox_gateway.api.autoscaler import AutoscalerHandlers
from signalbox_gateway.api.endpoint import Endpoint, Reply
from signalbox_gateway.api.health import HealthHandlers
from signalbox_gateway.api.payload_codec import PayloadCodecHandler, Payloads
from signalbox_gateway.api.reference.docs_page import ApiDocsHandlers
from signalbox_gateway.api.routes.replies import EVENT_STREAM, INVALID_BODY, INVALID_QUERY
from signalbox_gateway.api.system import ApiKeysView, QueuesView, SystemHandlers, WorkersView
from signalbox_gateway.http.cors import CODEC_PATH


def autoscaler_routes(autoscaler: AutoscalerHandlers) -> tuple[Endpoint, ...]:
    return (
        Endpoint(
            method="GET",
            path="/v1/autoscaler/queues",
            name="list_scaled_queues",
            summary="List the task queues with their latest scaling decision",
            role=Role.DEPLOYMENT_OPERATOR,
            handle=autoscaler.queues,
            replies=(Reply(200, "The queues, sorted by name", autoscaler_schemas.ScaledQueues),),
        ),
        Endpoint(
            method="GET",
            path="/v1/autoscaler/decisions",
            name="list_decisions",
            summary="List the scaling decisions about a task queue, with their reasons",
            role=Role.DEPLOYMENT_OPERATOR,
            handle=autoscaler.decisions,
            query=autoscaler_schemas.ListDecisions,
            replies=(
                Reply(200, "The decisions, newest first", autoscaler_schemas.DecisionList),
                INVALID_QUERY,
            ),
        ),
        Endpoint(
            method="GET",
            path="/v1/autoscaler/stream",
            name="stream_decisions",
            summary="Stream the scaling decisions about a task queue as server-sent events",
            role=Role.DEPLOYMENT_OPERATOR,
            handle=autoscaler.stream,
            is_stream=True,
            query=autoscaler_schemas.FollowDecisions,
            replies=(
                Reply(200, "One event per decision; its id resumes the stream", None, EVENT_STREAM),
                INVALID_QUERY,
            ),
        ),
    )


def system_routes(system: SystemHandlers) -> tuple[Endpoint, ...]:
    return (
        Endpoint(
            method="GET",
            path="/v1/system/queues",
            name="list_task_queues",
            summary="List the task queues of the installed pipelines, with backlog and pollers",
            role=Role.DEPLOYMENT_OPERATOR,
            handle=system.queues,
            replies=(Reply(200, "The task queues, sorted by name", QueuesView),),
        ),
        Endpoint(
            method="GET",
            path="/v1/system/workers",
            name="list_workers",
            summary="List the workers with their build, slots and last heartbeat",
            role=Role.DEPLOYMENT_OPERATOR,
            handle=system.workers,
            replies=(Reply(200, "The workers, sorted by task queue", WorkersView),),
        ),
        Endpoint(
            method="GET",
            path="/v1/api-keys",
            name="list_api_keys",
            summary="List the tenant's API keys, without the keys themselves",
            role=Role.ADMIN,
            handle=system.api_keys,
            replies=(Reply(200, "The API keys, sorted by id", ApiKeysView),),
        ),
    )


def codec_routes(codec: PayloadCodecHandler) -> tuple[Endpoint, ...]:
    return (
        Endpoint(
            method="POST",
            path=CODEC_PATH,
            name="decode_payloads",
            summary="Decrypt payloads for Temporal's UI and command line (a remote codec server)",
            role=Role.ADMIN,
            handle=codec.decode,
            body=Payloads,
            is_read_only=True,
            replies=(Reply(200, "The decrypted payloads", Payloads), *INVALID_BODY),
        ),
    )


def service_routes(health: HealthHandlers, docs: ApiDocsHandlers) -> tuple[Endpoint, ...]:
    """Health, metrics and documentation: no authentication."""
    return (
        Endpoint(
            method="GET",
            path="/healthz",
            name="is_alive",
            summary="Liveness probe",
            role=None,
            handle=health.alive,
            replies=(Reply(200, "The process responds", schemas.Health),),
        ),
        Endpoint(
            method="GET",
            path="/readyz",
            name="is_ready",
            summary="Readiness probe, with the state of each dependency",
            role=None,
            handle=health.ready,
            replies=(
                Reply(200, "Ready", schemas.Readiness),
                Reply(503, "Not ready", schemas.Readiness),
            ),
        ),
        Endpoint(
            method="GET",
            path="/metrics",
            name="get_metrics",
            summary="Metrics in Prometheus text format",
            role=None,
            handle=health.metrics,
            replies=(Reply(200, "The metrics", None, "text/plain"),),
        ),
        Endpoint(
            method="GET",
            path="/openapi.json",
            name="get_openapi",
            summary="This document",
            role=None,
            handle=docs.openapi,
            replies=(Reply(200, "The OpenAPI 3.1 document"),),
        ),
        Endpoint(
            method="GET",
            path="/docs",
            name="get_docs",
            summary="This document as a web page",
            role=None,
            handle=docs.page,
            replies=(Reply(200, "The page", None, "text/html"),),
        ),
    )
