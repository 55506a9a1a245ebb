"""The numbered negative cases of the receiver (docs/receiver.md), and assertions on every refusal."""

from collections.abc import Callable, Mapping

import httpx2
import pytest

from signalbox_core.events import CloudEvent, encode_event
from signalbox_webhook_receiver.openapi import document
from support.drivers.signed_requests import ONE, ORIGIN, URL, parameters_at, sign_by_hand
from support.fakes.events import story
from support.fakes.receiver import NOW, Bench

EVENT: CloudEvent = story()[0]
BODY = encode_event(EVENT)
SECOND = int(NOW.timestamp())
Headers = dict[str, str]
Change = Callable[[Headers], Headers]
DOCUMENTED = frozenset(document(ORIGIN)["paths"]["/v1/events"]["post"]["responses"]) | {"404", "405"}


def case(number: int, what: str, *values: object) -> object:
    """A row of a table; its number is in the test's id."""
    return pytest.param(*values, id=f"case-{number:03}-{what}")


def signed(bench: Bench, body: bytes = BODY, content_type: str = ONE) -> Headers:
    """The headers of a good request, names in lower case."""
    return {name.lower(): value for name, value in bench.signer.sign("POST", URL, body, content_type).items()}


def by_hand(bench: Bench, *, body: bytes = BODY, **overrides: str | None) -> Headers:
    """A request that the key's owner signed with these parameters instead."""
    headers = sign_by_hand(bench.signer, body, parameters=parameters_at(SECOND, **overrides))
    return {name.lower(): value for name, value in headers.items()}


async def post(
    bench: Bench,
    headers: Mapping[str, str] | list[tuple[str, str]],
    *,
    body: bytes = BODY,
    path: str = "/v1/events",
) -> httpx2.Response:
    sent = headers if isinstance(headers, list) else dict(headers)
    return await bench.client.post(path, content=body, headers=sent)


def is_problem(answer: httpx2.Response, status: int, code: str) -> None:
    """Assert status and type of a refusal, and that it repeats neither the request nor a library's text."""
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["type"] == f"urn:signalbox:problem:{code.replace('_', '-')}"
    assert problem["status"] == status
    assert str(status) in DOCUMENTED
    for leak in (EVENT.id, EVENT.subject, "Traceback", "http_sf", "cryptography", "msgspec", "key-1"):
        assert leak not in answer.text
    if status == 401:
        assert 'tag="signalbox-event"' in answer.headers["accept-signature"]
        assert "www-authenticate" in answer.headers
    if status == 503:
        assert int(answer.headers["retry-after"]) >= 1


async def is_refused(bench: Bench, answer: httpx2.Response, status: int, code: str) -> None:
    """A refusal without any effect: nothing published, no nonce and no event id held."""
    is_problem(answer, status, code)
    assert not bench.published
    assert not bench.claims.held
    assert (await bench.stream.read("acme:run-1", None)).frames == ()
