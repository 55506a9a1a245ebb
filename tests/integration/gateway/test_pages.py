"""Health, metrics, the OpenAPI document, the console, and requests refused before any handler."""

import io
import json
import logging
import re

import httpx2
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp

from signalbox_core.logs import JsonFormatter
from signalbox_gateway.app import Gateway, Parts
from signalbox_gateway.http.error_codes import CODES
from support.servers.gateway import client_of


async def test_health_and_readiness_require_no_authentication(app: object) -> None:
    async with client_of(app, None) as caller:
        alive, ready = await caller.get("/healthz"), await caller.get("/readyz")

    assert alive.json() == {"status": "ok"}
    assert ready.status_code == 200
    assert ready.json()["ready"] is True
    assert ready.json()["temporal_available"] is True


async def test_a_draining_gateway_is_alive_and_not_ready(parts: Parts) -> None:
    gateway = Gateway(parts)
    await gateway.drain()

    async with client_of(gateway.app(), None) as caller:
        alive, ready = await caller.get("/healthz"), await caller.get("/readyz")

    assert (alive.status_code, ready.status_code, ready.json()["ready"]) == (200, 503, False)


async def test_metrics_count_by_route_and_never_by_run(caller: httpx2.AsyncClient) -> None:
    await caller.get("/v1/runs/some-run")
    await caller.get("/nothing/here")

    text = (await caller.get("/metrics")).text

    assert 'signalbox_gateway_requests_total{method="GET",route="/v1/runs/{run_id}",status="404"} 1.0' in text
    assert 'route="unmatched",status="404"' in text
    assert "some-run" not in text


async def test_the_openapi_document_is_valid_and_complete(app: Starlette, caller: httpx2.AsyncClient) -> None:
    document = (await caller.get("/openapi.json")).json()

    OpenAPIV31SpecValidator(document).validate()
    served = {
        route.path.replace(":path", "")
        for route in app.routes
        if isinstance(route, Route) and route.path not in ("/", "/decide")
    }
    assert served == set(document["paths"])
    assert document["components"]["schemas"]["StartRun"]["oneOf"][0]["properties"]["pipeline"] == {
        "const": "echo"
    }


async def test_the_api_page_is_complete_and_loads_nothing_from_other_hosts(
    caller: httpx2.AsyncClient,
) -> None:
    page = await caller.get("/docs")
    plain = await caller.get("/docs", headers={"accept-encoding": "identity"})

    policy = page.headers["content-security-policy"]
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "unsafe" not in policy
    assert re.findall(r"<script(?! src=| type=.module. src=)|<style| style=| on[a-z]+=", page.text) == []
    assert "http://" not in page.text
    assert all(f'id="{code}"' in page.text for code in CODES)
    assert (page.headers["content-encoding"], plain.text) == ("gzip", page.text)


async def test_the_console_is_served_with_a_strict_policy(app: ASGIApp) -> None:
    async with client_of(app, None) as caller:
        page = await caller.get("/")

    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "unsafe-inline" not in page.headers["content-security-policy"]


async def test_pipelines_show_their_contracts(caller: httpx2.AsyncClient) -> None:
    listed = (await caller.get("/v1/pipelines")).json()["pipelines"]
    one = (await caller.get("/v1/pipelines/echo")).json()
    none = await caller.get("/v1/pipelines/nope")

    assert listed == [one]
    assert one["input_schema"]["properties"]["times"]["maximum"] == 10
    assert one["result_schema"]["required"] == ["text"]
    assert [step["name"] for step in one["steps"]] == ["speak", "listen"]
    assert one["approvals"][0]["answer_schema"]["required"] == ["word"]
    assert (none.status_code, none.json()["code"]) == (404, "unknown_pipeline")


@pytest.mark.parametrize(
    "path", ["/nothing", "/v1", "/v1/runs/", "/v1/runs/a/b/c", "/console/nope.js", "/console/../settings.py"]
)
async def test_an_unknown_path_is_a_problem(caller: httpx2.AsyncClient, path: str) -> None:
    answer = await caller.get(path)

    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/v1/runs", "GET, HEAD, POST"),
        ("DELETE", "/v1/runs/r", "GET, HEAD"),
        ("GET", "/v1/runs/r/cancel", "POST"),
        ("POST", "/healthz", "GET, HEAD"),
        ("OPTIONS", "/v1/runs", "GET, HEAD, POST"),
        ("BREW", "/v1/runs", "GET, HEAD, POST"),
    ],
)
async def test_an_unsupported_method_is_a_problem_that_lists_the_supported_ones(
    caller: httpx2.AsyncClient, method: str, path: str, allow: str
) -> None:
    answer = await caller.request(method, path)

    assert (answer.status_code, answer.json()["code"], answer.headers["allow"]) == (
        405,
        "method_not_allowed",
        allow,
    )


@pytest.mark.parametrize("path", ["/v1/runs", "/v1/pipelines/echo", "/healthz", "/docs", "/"])
async def test_head_answers_like_get(caller: httpx2.AsyncClient, path: str) -> None:
    head, get = await caller.head(path), await caller.get(path)

    assert head.status_code == get.status_code == 200
    assert head.headers["content-type"] == get.headers["content-type"]


async def test_every_response_carries_a_request_id_and_security_headers(caller: httpx2.AsyncClient) -> None:
    given = await caller.get("/v1/runs", headers={"x-request-id": "abc-1"})
    invented = await caller.get("/nothing", headers={"x-request-id": "no\tgood"})

    assert given.headers["x-request-id"] == "abc-1"
    assert len(invented.headers["x-request-id"]) == 16
    assert given.headers["x-content-type-options"] == "nosniff"
    assert given.headers["cache-control"] == "no-store"


async def test_lines_of_a_request_name_run_tenant_principal_and_trace(app: object) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter("gateway"))
    access = logging.getLogger("signalbox_gateway.access")
    access.addHandler(handler)
    level, trace = access.level, "0af7651916cd43dd8448eb211c80319c"
    access.setLevel("INFO")
    try:
        async with client_of(app, "viewer") as caller:
            headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-01", "x-request-id": "r-1"}
            await caller.get("/v1/runs/some-run", headers=headers)
            await caller.get("/v1/runs/some-run/stream", headers=headers)
    finally:
        access.removeHandler(handler)
        access.setLevel(level)

    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    names = ("run_id", "tenant", "principal", "trace_id", "request_id")
    assert [[line.get(name) for name in names] for line in lines] == [
        ["some-run", "acme", "viewer", trace, "r-1"]
    ] * 2


async def test_the_access_log_contains_no_secret(
    caller: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG"):
        await caller.get("/v1/runs/r/stream", params={"ticket": "very-secret-ticket"})
        await caller.post("/v1/sessions", json={"api_key": "sbx_very_secret"})

    lines = " ".join(str(vars(record)) for record in caplog.records if record.name.startswith("signalbox"))
    assert "/v1/runs/r/stream" in lines
    assert "very" not in lines
    assert "sbx_" not in lines
