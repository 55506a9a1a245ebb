"""The receiver's OpenAPI 3.1 document."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Final

import msgspec

from signalbox_core.events.envelope import BATCH_CONTENT_TYPE, CONTENT_TYPE, CloudEvent, EventResult
from signalbox_core.http.problems import TITLES, Problem
from signalbox_webhook_receiver.deliveries import AcceptedDelivery, DuplicateDelivery
from signalbox_webhook_receiver.health import ReceiverReadiness
from signalbox_webhook_receiver.profile import MAX_BATCH_EVENTS

Json = Mapping[str, object]
_KINDS: Final = (CloudEvent, AcceptedDelivery, DuplicateDelivery, EventResult, Problem, ReceiverReadiness)
_SIGNED: Final = ("Content-Digest", "Signature-Input", "Signature")
_WITH_RETRY: Final = frozenset({409, 429, 503})
_REFUSALS: Final = tuple(status for status in TITLES if status not in (404, 405))


def document(origin: str) -> Json:
    """Return the document; `origin` is the origin that senders sign."""
    made, components = msgspec.json.schema_components(_KINDS, ref_template="#/components/schemas/{name}")
    schemas: dict[type[msgspec.Struct], Json] = dict(zip(_KINDS, made, strict=True))
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Signalbox webhook receiver",
            "version": version("signalbox-webhook-receiver"),
            "description": "Accepts signed events (RFC 9421; the profile is docs/signatures.md). "
            "Errors are problem documents (RFC 9457) with a stable `code`.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": origin}],
        "paths": {
            "/v1/events": {"post": _deliver(schemas)},
            "/healthz": {
                "get": _get_operation(
                    "live", "Liveness", {"200": _reply("The process responds", {"type": "object"})}
                )
            },
            "/readyz": {
                "get": _get_operation(
                    "ready", "Readiness for deliveries", _readiness(schemas[ReceiverReadiness])
                )
            },
            "/metrics": {"get": _get_operation("metrics", "Prometheus metrics", {"200": _text()})},
            "/openapi.json": {
                "get": _get_operation(
                    "openapi", "This document", {"200": _reply("OpenAPI 3.1", {"type": "object"})}
                )
            },
        },
        "components": {"schemas": _as_json(components), "securitySchemes": {"signature": _SCHEME}},
    }


def _as_json(value: object) -> object:
    """Convert to plain JSON values: a default of `()` becomes an array."""
    return msgspec.json.decode(msgspec.json.encode(value))


_SCHEME: Final = {
    "type": "apiKey",
    "in": "header",
    "name": "Signature",
    "description": "HTTP message signature with tag `signalbox-event`, "
    "together with Signature-Input and Content-Digest",
}


def _deliver(schemas: Mapping[type[msgspec.Struct], Json]) -> Json:
    batch = {"type": "array", "items": schemas[CloudEvent], "minItems": 1, "maxItems": MAX_BATCH_EVENTS}
    replies = {
        "202": _reply("The new events were published", schemas[AcceptedDelivery]),
        "200": _reply("Every event was accepted before", schemas[DuplicateDelivery]),
    }
    results = {
        "type": "array",
        "items": schemas[EventResult],
        "description": "Of a batch of several runs: the outcome of each event, in the order of the batch",
    }
    problem = {"allOf": [schemas[Problem]], "properties": {"results": results}}
    return {
        "operationId": "deliver",
        "summary": "Deliver one event, or events of one tenant",
        "security": [{"signature": []}],
        "parameters": [
            {"name": name, "in": "header", "required": True, "schema": {"type": "string"}} for name in _SIGNED
        ],
        "requestBody": {
            "required": True,
            "content": {CONTENT_TYPE: {"schema": schemas[CloudEvent]}, BATCH_CONTENT_TYPE: {"schema": batch}},
        },
        "responses": replies | {str(status): _problem(status, problem) for status in _REFUSALS},
    }


def _problem(status: int, schema: Json) -> Json:
    reply: dict[str, object] = {
        "description": TITLES[status],
        "content": {"application/problem+json": {"schema": schema}},
    }
    if status in _WITH_RETRY:
        reply["headers"] = {
            "Retry-After": {"description": "Seconds", "schema": {"type": "integer", "minimum": 1}}
        }
    if status == 401:
        reply["headers"] = {
            name: {"schema": {"type": "string"}} for name in ("Accept-Signature", "WWW-Authenticate")
        }
    return reply


def _get_operation(name: str, summary: str, replies: Json) -> Json:
    return {"operationId": name, "summary": summary, "security": [], "responses": replies}


def _readiness(schema: Json) -> Json:
    return {
        "200": _reply("Deliveries can be accepted", schema),
        "503": _reply("A dependency is unavailable; the body names it", schema),
    }


def _reply(meaning: str, schema: Json) -> Json:
    return {"description": meaning, "content": {"application/json": {"schema": schema}}}


def _text() -> Json:
    return {"description": "Text format", "content": {"text/plain": {"schema": {"type": "string"}}}}
