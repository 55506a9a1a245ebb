"""Gateway, receiver and autoscaler return the same problem for the same error; the client reads it."""

from collections.abc import Awaitable, Callable

import httpx2
import msgspec
import pytest
from redis.asyncio import Redis
from starlette.requests import Request
from starlette.responses import Response

from signalbox_autoscaler import app as autoscaler
from signalbox_autoscaler.audit.decision_log import DecisionLog
from signalbox_autoscaler.metrics import AutoscalerMetrics
from signalbox_client.problems import error_of
from signalbox_core.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    InvalidSignature,
    NotFound,
    RateLimited,
    Rejected,
    SignalboxError,
    Unavailable,
)
from signalbox_core.http.problems import MEDIA_TYPE, STATUS_OF_CLASS, STATUS_OF_CODE, TITLES, Problem
from signalbox_gateway.http import error_codes as gateway
from signalbox_webhook_receiver import problems as receiver

ERRORS = (
    InvalidInput("input.url is required: add it", field="input.url"),
    InvalidSignature("the signature is wrong"),
    NotFound("run r-1 does not exist"),
    Conflict("run r-1 has a decision", code="already_decided"),
    Forbidden("the role operator is required"),
    RateLimited("slow down", retry_after_s=2.4),
    Rejected("the request has too many headers", code="headers_too_large"),
    Unavailable("Redis is unavailable"),
)


async def autoscaler_problem(error: SignalboxError) -> Response:
    """What the autoscaler's exception handler returns."""
    app = autoscaler.create_app(_Stopped(), DecisionLog(Redis()), AutoscalerMetrics())
    handler: Callable[[Request, Exception], Awaitable[Response]] = app.exception_handlers[SignalboxError]
    return await handler(Request({"type": "http"}), error)


async def gateway_problem(error: SignalboxError) -> Response:
    return gateway.problem_response(error)


async def receiver_problem(error: SignalboxError) -> Response:
    return receiver.problem_response(error)


class _Stopped:
    leads = False
    queues: tuple[str, ...] = ()

    def sees(self) -> bool:
        return False


SERVICES = [
    pytest.param(gateway_problem, id="gateway"),
    pytest.param(receiver_problem, id="receiver"),
    pytest.param(autoscaler_problem, id="autoscaler"),
]


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.stable_code)
async def test_every_service_returns_the_same_problem(
    service: Callable[[SignalboxError], Awaitable[Response]], error: SignalboxError
) -> None:
    response = await service(error)
    problem = msgspec.json.decode(response.body, type=Problem)

    assert response.body == msgspec.json.encode(problem)
    assert response.headers["content-type"] == MEDIA_TYPE
    assert problem.type == f"urn:signalbox:problem:{error.stable_code.replace('_', '-')}"
    assert (problem.status, problem.title) == (response.status_code, TITLES[response.status_code])
    assert (problem.code, problem.detail, problem.field) == (error.stable_code, error.detail, error.field)
    assert [item.field for item in problem.errors] == ([error.field] if error.field else [])
    assert ("retry-after" in response.headers) == isinstance(error, Unavailable)
    assert ("www-authenticate" in response.headers) == (
        problem.status == 401
    ) or service is autoscaler_problem


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.stable_code)
async def test_the_client_raises_what_the_gateway_refused(error: SignalboxError) -> None:
    response = gateway.problem_response(error)

    raised = error_of(response.status_code, bytes(response.body), response.headers.get("retry-after"))

    assert (raised.detail, raised.stable_code) == (error.detail, error.stable_code)
    assert isinstance(raised, Unavailable) == isinstance(error, Unavailable)


async def test_the_autoscalers_unknown_paths_and_methods_are_problems_too() -> None:
    app = autoscaler.create_app(_Stopped(), DecisionLog(Redis()), AutoscalerMetrics())
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://a") as client:
        missing, wrong = await client.get("/v2"), await client.post("/v1/decisions")

    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")
    assert "GET" in wrong.headers["allow"]


def test_every_status_has_a_title() -> None:
    assert {*STATUS_OF_CLASS.values(), *STATUS_OF_CODE.values()} <= set(TITLES)
