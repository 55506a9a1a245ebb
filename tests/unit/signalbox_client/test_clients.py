"""Requests, retries and errors of both clients, against a function in the place of the gateway."""

import asyncio
from collections.abc import Sequence

import httpx2
import pytest

from signalbox_client import Signalbox
from signalbox_core.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    RateLimited,
    Rejected,
    SignalboxError,
    Unavailable,
)
from support.drivers.both_clients import KINDS, EitherClient, Kind

URL = "http://127.0.0.1:8080"
TOO_LONG_S = 60.0

both_clients = pytest.mark.parametrize("kind", KINDS)


class ScriptedGateway:
    """Gives the responses in turn, the last one for ever, and keeps the requests."""

    def __init__(self, *responses: httpx2.Response | Exception) -> None:
        self._responses = list(responses)
        self.requests: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        response = self._responses.pop(0) if len(self._responses) > 1 else self._responses[0]
        if isinstance(response, Exception):
            raise response
        return response


def started() -> httpx2.Response:
    return httpx2.Response(
        201, json={"run_id": "r1", "pipeline": "echo", "status": "running", "links": {}, "new": 1}
    )


def no_runs() -> httpx2.Response:
    return httpx2.Response(200, json={"runs": []})


def problem(status: int, *, retry_after: str | None = None, **members: object) -> httpx2.Response:
    headers = {"content-type": "application/problem+json"}
    if retry_after is not None:
        headers["retry-after"] = retry_after
    body = {"title": "No", "status": status, "detail": "that is why", "code": "why", **members}
    return httpx2.Response(status, json=body, headers=headers)


def client(kind: Kind, gateway: ScriptedGateway, backoff_s: Sequence[float] = (0, 0)) -> EitherClient:
    return EitherClient(kind, URL, handler=gateway, backoff_s=backoff_s)


@both_clients
async def test_a_retried_start_repeats_its_idempotency_key(kind: Kind) -> None:
    gateway = ScriptedGateway(httpx2.ConnectError("gone"), problem(503), started())
    run = await client(kind, gateway).call("start", "echo", {"text": "hi"})
    assert run.run_id == "r1"
    assert len(gateway.requests) == 3
    assert len({request.headers["idempotency-key"] for request in gateway.requests}) == 1
    assert gateway.requests[0].headers["authorization"] == "Bearer sbx_key"


@both_clients
async def test_a_retry_is_reported_with_its_cause_and_delay(kind: Kind) -> None:
    gateway, reports = ScriptedGateway(problem(503, retry_after="0"), started()), list[tuple[str, float]]()
    calling = EitherClient(
        kind,
        URL,
        handler=gateway,
        backoff_s=(0, 0),
        on_retry=lambda error, delay_s: reports.append((error.detail, delay_s)),
    )
    await calling.call("start", "echo", {"text": "hi"})
    assert reports == [("that is why", 0.0)]


@both_clients
async def test_a_connection_that_breaks_is_retried(kind: Kind) -> None:
    gateway = ScriptedGateway(httpx2.ReadError("broken"), started())
    run = await client(kind, gateway).call("start", "echo", {"text": "hi"})
    assert run.run_id == "r1"
    assert len({request.headers["idempotency-key"] for request in gateway.requests}) == 1


@both_clients
async def test_a_retried_decision_repeats_its_id(kind: Kind) -> None:
    decided = httpx2.Response(
        200, json={"run_id": "r1", "approval_id": "a", "decision_id": "d", "status": "accepted"}
    )
    gateway = ScriptedGateway(problem(503), decided)
    await client(kind, gateway).call("decide", "r1", "a", {"ok": True}, digest="abc")
    assert gateway.requests[0].content == gateway.requests[1].content


@both_clients
@pytest.mark.parametrize(
    ("status", "error"),
    [
        pytest.param(400, Rejected, id="unreadable"),
        pytest.param(401, Forbidden, id="unknown key"),
        pytest.param(403, Forbidden, id="not allowed"),
        pytest.param(404, NotFound, id="not there"),
        pytest.param(409, Conflict, id="state"),
        pytest.param(422, InvalidInput, id="value"),
    ],
)
async def test_a_refusal_of_the_gateway_is_raised_and_not_retried(
    kind: Kind, status: int, error: type[SignalboxError]
) -> None:
    gateway = ScriptedGateway(problem(status, errors=[{"field": "input.url", "detail": "x"}]))
    with pytest.raises(error, match="that is why") as caught:
        await client(kind, gateway).call("run", "r1")
    assert (caught.value.stable_code, caught.value.field, len(gateway.requests)) == ("why", "input.url", 1)


@both_clients
@pytest.mark.parametrize("status", [403, 404, 408, 502])
async def test_an_error_page_of_a_proxy_is_retried(kind: Kind, status: int) -> None:
    gateway = ScriptedGateway(httpx2.Response(status, html="<h1>Not here</h1>"), no_runs())
    assert (await client(kind, gateway).call("runs")).runs == ()


@both_clients
async def test_an_error_page_that_stays_names_the_address(kind: Kind) -> None:
    gateway = ScriptedGateway(httpx2.Response(404, html="<h1>Not here</h1>"))
    with pytest.raises(Unavailable, match=f"{URL} returned 404 .* check SIGNALBOX_URL"):
        await client(kind, gateway).call("runs")
    assert len(gateway.requests) == 3


@both_clients
async def test_a_gateway_that_stays_unreachable_is_reported_after_the_retries(kind: Kind) -> None:
    gateway = ScriptedGateway(httpx2.ConnectError("refused"))
    with pytest.raises(Unavailable, match=f"no gateway responds at {URL}: start one"):
        await client(kind, gateway).call("runs")
    assert len(gateway.requests) == 3


@both_clients
@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_replaces_the_usual_delay(kind: Kind, status: int) -> None:
    gateway = ScriptedGateway(problem(status, retry_after="0"), no_runs())
    async with asyncio.timeout(5):
        assert (await client(kind, gateway, (TOO_LONG_S,)).call("runs")).runs == ()


@both_clients
async def test_a_rate_limit_that_stays_is_raised(kind: Kind) -> None:
    gateway = ScriptedGateway(problem(429, retry_after="0", detail="slow"))
    with pytest.raises(RateLimited, match="slow"):
        await client(kind, gateway).call("runs")


@both_clients
async def test_a_success_that_is_not_a_gateways_is_unavailable(kind: Kind) -> None:
    with pytest.raises(Unavailable, match="not from a gateway"):
        await client(kind, ScriptedGateway(httpx2.Response(200, text="<html>"))).call("runs")


@both_clients
async def test_names_are_quoted_in_the_path(kind: Kind) -> None:
    gateway = ScriptedGateway(httpx2.Response(200, content=b"x"))
    await client(kind, gateway).call("artifact", "a/b", "dir/file name.png")
    assert gateway.requests[0].url.raw_path == b"/v1/runs/a%2Fb/artifacts/dir/file%20name.png"


@pytest.mark.parametrize("url", ["", "nonsense", "ftp://x", "http://"])
def test_a_url_that_is_not_http_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="SIGNALBOX_URL"):
        Signalbox(url, "k")


def test_a_key_with_impossible_characters_is_refused_without_showing_it() -> None:
    with pytest.raises(InvalidInput, match="SIGNALBOX_API_KEY") as caught:
        Signalbox(URL, "sbx_schlüssel")
    assert "schl" not in caught.value.detail
