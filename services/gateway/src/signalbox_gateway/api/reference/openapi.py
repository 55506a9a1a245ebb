"""Builds the OpenAPI 3.1 document from the route table and the pipelines' contracts."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from signalbox_core.http.problems import MEDIA_TYPE, Problem
from signalbox_core.pipeline.spec import PipelineSpec
from signalbox_core.secret import schema_hook
from signalbox_gateway.api.endpoint import Endpoint, Reply
from signalbox_gateway.api.reference.api_document import tag_of
from signalbox_gateway.api.reference.examples import BODY_EXAMPLES

_PARAMETER: Final = re.compile(r"\{(\w+)(?::path)?\}")
_REF: Final = "#/components/schemas/{name}"
_AUTH_PROBLEMS: Final = (
    Reply(401, "The request has no valid credentials", Problem, MEDIA_TYPE),
    Reply(403, "The principal lacks the required role", Problem, MEDIA_TYPE),
)
_COMMON_PROBLEMS: Final = (
    *_AUTH_PROBLEMS,
    Reply(429, "The rate limit is exceeded; retry after `Retry-After` seconds", Problem, MEDIA_TYPE),
    Reply(503, "A dependency is unavailable; retry later", Problem, MEDIA_TYPE),
)
# At a connection limit a stream is a 200 that ends at once with a `retry:` delay, because EventSource gives
# up on a 503.
_STREAM_REPLIES: Final = (
    Reply(200, "Events until the run ends", None, "text/event-stream"),
    Reply(204, "The run has ended and every event was delivered; do not reconnect", None, ""),
    Reply(404, "The run does not exist, or belongs to another tenant", Problem, MEDIA_TYPE),
    Reply(422, "A parameter is invalid", Problem, MEDIA_TYPE),
    *_AUTH_PROBLEMS,
)
_IDEMPOTENCY_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "Makes the request idempotent: the same key and body give the same outcome",
}
_STREAMS: Final = (
    (
        "/v1/runs/{run_id}/stream",
        "stream_run",
        "Stream the events of a run as server-sent events; `Last-Event-ID` resumes",
    ),
    (
        "/v1/stream",
        "stream_runs",
        "Stream the events of several runs (`?run=a&run=b`) or of all runs of the tenant (`?all=1`, "
        "with `&include=a` for runs that have ended); `Last-Event-ID` resumes",
    ),
)
Json = Mapping[str, object]


def build_document(
    endpoints: Sequence[Endpoint], pipelines: Mapping[str, PipelineSpec], *, version: str, server: str
) -> Json:
    """Build the document.

    Args:
        version: of the gateway.
        server: the public origin.
    """
    schemas, components = _schemas(endpoints, pipelines)
    paths: dict[str, dict[str, object]] = {}
    for endpoint in endpoints:
        paths.setdefault(_path(endpoint.path), {})[endpoint.method.lower()] = _operation(endpoint, schemas)
    for path, name, summary in _STREAMS:
        paths[path] = {"get": _stream(path, name, summary, schemas)}
    components["StartRun"] = _start_schema(components["StartRun"], pipelines, schemas)
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Signalbox",
            "version": version,
            "description": (
                "Start runs, follow their events, decide their approvals. "
                "Errors are problems (RFC 9457) with a stable `code`."
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": server}],
        "security": [{"api_key": []}, {"session": []}],
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": _SECURITY},
    }


_SECURITY: Final = {
    "api_key": {
        "type": "http",
        "scheme": "bearer",
        "description": (
            "An API key (`sbx_…`), a token (JWT) of a configured OpenID issuer, or, where it is accepted, "
            "a scoped token (`sbt_…`) from POST /v1/tokens"
        ),
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "__Host-signalbox",
        "description": "The cookie that POST /v1/sessions sets",
    },
    "ticket": {
        "type": "apiKey",
        "in": "query",
        "name": "ticket",
        "description": "A ticket from POST /v1/stream-tickets; for streams only",
    },
}


def _schemas(
    endpoints: Sequence[Endpoint], pipelines: Mapping[str, PipelineSpec]
) -> tuple[dict[type[Struct], Json], dict[str, Json]]:
    kinds = dict.fromkeys(
        [*_bodies(endpoints), *(kind for spec in pipelines.values() for kind in (spec.input, spec.result))]
    )
    generated, components = msgspec.json.schema_components(
        tuple(kinds), schema_hook=schema_hook, ref_template=_REF
    )
    return dict(zip(kinds, generated, strict=True)), components


def _bodies(endpoints: Iterable[Endpoint]) -> Iterable[type[Struct]]:
    yield Problem
    for endpoint in endpoints:
        yield from (
            kind for kind in (endpoint.body, *(reply.body for reply in endpoint.replies)) if kind is not None
        )


def _operation(endpoint: Endpoint, schemas: Mapping[type[Struct], Json]) -> Json:
    parameters = [_path_parameter(name) for name in _PARAMETER.findall(endpoint.path)]
    parameters += _query_parameters(endpoint.query) if endpoint.query is not None else []
    parameters += [_IDEMPOTENCY_KEY] if endpoint.takes_idempotency_key else []
    replies = (*endpoint.replies, *(_COMMON_PROBLEMS if endpoint.role is not None else ()))
    operation: dict[str, object] = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "description": _requirements(endpoint),
        "tags": [tag_of(endpoint.path)],
        "parameters": parameters,
        "responses": {str(reply.status): _response(reply, schemas) for reply in replies},
    }
    if endpoint.role is None:
        operation["security"] = []
    if endpoint.body is not None:
        is_required = any(field.required for field in msgspec.structs.fields(endpoint.body))
        operation["requestBody"] = {
            "required": is_required,
            "content": {"application/json": _json_body(endpoint.body, schemas)},
        }
    if endpoint.body_media_type:
        is_json = endpoint.body_media_type == "application/json"
        schema: Json = {"type": "object"} if is_json else {"type": "string", "format": "binary"}
        operation["requestBody"] = {
            "required": True,
            "content": {endpoint.body_media_type: {"schema": schema}},
        }
    return operation


def _json_body(kind: type[Struct], schemas: Mapping[type[Struct], Json]) -> Json:
    example = BODY_EXAMPLES.get(kind)
    return {"schema": schemas[kind], **({"example": example} if example is not None else {})}


def _requirements(endpoint: Endpoint) -> str:
    if endpoint.role is None:
        return "Requires no authentication."
    role = f"Requires the role `{endpoint.role}`."
    return f"{role} Accepts scoped tokens that permit it." if endpoint.scoped_access is not None else role


def _response(reply: Reply, schemas: Mapping[type[Struct], Json]) -> Json:
    if not reply.media_type:
        return {"description": reply.meaning}
    schema = schemas[reply.body] if reply.body is not None else {}
    return {"description": reply.meaning, "content": {reply.media_type: {"schema": schema}}}


def _query_parameters(kind: type[Struct]) -> list[Json]:
    (schema,), components = msgspec.json.schema_components((kind,), ref_template="{name}")
    struct = components[str(schema["$ref"])]
    return [
        {"name": name, "in": "query", "required": False, "schema": part}
        for name, part in struct["properties"].items()
    ]


def _path_parameter(name: str) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _stream(path: str, name: str, summary: str, schemas: Mapping[type[Struct], Json]) -> Json:
    runs: Json = {
        "name": "run",
        "in": "query",
        "required": False,
        "schema": {"type": "array", "items": {"type": "string"}},
    }
    all_runs: Json = {"name": "all", "in": "query", "required": False, "schema": {"const": "1"}}
    included: Json = {**runs, "name": "include"}
    parameters = [_path_parameter(part) for part in _PARAMETER.findall(path)] or [runs, all_runs, included]
    history: Json = {"name": "history", "in": "query", "required": False, "schema": {"const": "1"}}
    resume: Json = {"name": "Last-Event-ID", "in": "header", "required": False, "schema": {"type": "string"}}
    return {
        "operationId": name,
        "summary": summary,
        "description": "Requires the role `viewer`, or a ticket for the run.",
        "tags": [tag_of(path)],
        "parameters": [*parameters, history, resume],
        "security": [{"api_key": []}, {"session": []}, {"ticket": []}],
        "responses": {str(reply.status): _response(reply, schemas) for reply in _STREAM_REPLIES},
    }


def _start_schema(
    general: Json, pipelines: Mapping[str, PipelineSpec], schemas: Mapping[type[Struct], Json]
) -> Json:
    """The schema of StartRun, with one alternative per pipeline that has its input schema."""
    if not pipelines:
        return general
    each = [
        {"title": spec.title, "properties": {"pipeline": {"const": spec.name}, "input": schemas[spec.input]}}
        for spec in pipelines.values()
    ]
    return {**general, "oneOf": each}


def _path(template: str) -> str:
    return _PARAMETER.sub(r"{\1}", template)
