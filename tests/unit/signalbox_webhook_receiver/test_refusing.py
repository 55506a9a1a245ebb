"""Refused deliveries: status and stable code, nothing published, no nonce used, nothing echoed."""

import json
from collections.abc import Mapping

import httpx2
import pytest
from msgspec.structs import replace

from signalbox_core.events import encode_event
from signalbox_core.signatures import Algorithm, Signer, content_digest, profile
from support.drivers.signed_requests import (
    BATCH,
    ONE,
    ORIGIN,
    URL,
    new_private_key,
    parameters_at,
    sign_by_hand,
    signer_and_key,
)
from support.fakes.events import story
from support.fakes.receiver import NOW, Bench, batch_of, new_bench

SECOND = int(NOW.timestamp())
EVENT, SECOND_EVENT = story()[:2]
BODY = encode_event(EVENT)


@pytest.fixture
def bench() -> Bench:
    return new_bench()


async def refused(bench: Bench, answer: httpx2.Response) -> tuple[int, str]:
    """Check what every refusal has in common; give its status and code."""
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["status"] == answer.status_code
    assert problem["type"] == f"urn:signalbox:problem:{problem['code'].replace('_', '-')}"
    assert not bench.published
    assert not bench.claims.held
    assert "Traceback" not in answer.text
    assert EVENT.id not in answer.text
    return answer.status_code, problem["code"]


async def post(
    bench: Bench, headers: Mapping[str, str], *, body: bytes = BODY, path: str = "/v1/events"
) -> httpx2.Response:
    return await bench.client.post(path, content=body, headers=dict(headers))


async def test_an_unsigned_request_learns_how_to_sign(bench: Bench) -> None:
    answer = await post(bench, {"content-type": ONE})
    assert await refused(bench, answer) == (401, "signature_required")
    assert answer.headers["accept-signature"] == profile.ACCEPT_SIGNATURE
    assert answer.headers["www-authenticate"].startswith("Signature ")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param({"signature": "signalbox=:AAAA:"}, (401, "invalid_signature"), id="wrong-signature"),
        pytest.param({"signature-input": "((("}, (400, "signature_malformed"), id="unparsable"),
        pytest.param(
            {"content-digest": content_digest(b"other")}, (401, "invalid_signature"), id="other-digest"
        ),
        pytest.param({"content-digest": None}, (401, "signature_incomplete"), id="no-digest"),
        pytest.param(
            {"content-digest": None, "repr-digest": content_digest(BODY)},
            (401, "signature_incomplete"),
            id="repr-digest",
        ),
        pytest.param({"content-type": BATCH}, (401, "invalid_signature"), id="other-media-type"),
        pytest.param({"content-type": "text/plain"}, (415, "unsupported_media_type"), id="text"),
        pytest.param(
            {"content-type": f"{ONE}; charset=utf-16"}, (415, "unsupported_media_type"), id="utf-16"
        ),
        pytest.param({"content-type": None}, (415, "unsupported_media_type"), id="no-media-type"),
        pytest.param({"content-encoding": "gzip"}, (415, "unsupported_media_type"), id="gzip"),
        pytest.param({"host": "other.example.com"}, (421, "misdirected_request"), id="foreign-host"),
        pytest.param({"signature-input": "a" * 5000}, (431, "headers_too_large"), id="long-signature-input"),
        pytest.param({"x-long": "a" * 40_000}, (431, "headers_too_large"), id="long-header"),
        pytest.param({f"x-{n}": "a" for n in range(120)}, (431, "headers_too_large"), id="many-headers"),
        pytest.param(
            {"content-length": str(256 * 1024 + 1)}, (413, "payload_too_large"), id="declared-length"
        ),
        pytest.param({"content-length": "9" * 5_000}, (413, "payload_too_large"), id="length-of-many-digits"),
        pytest.param({"content-length": "-1"}, (413, "payload_too_large"), id="negative-length"),
    ],
)
async def test_a_changed_header_is_refused(
    bench: Bench, change: dict[str, str | None], expected: tuple[int, str]
) -> None:
    headers = {name.lower(): value for name, value in bench.signer.sign("POST", URL, BODY, ONE).items()}
    merged = {name: value for name, value in {**headers, **change}.items() if value is not None}
    assert await refused(bench, await post(bench, merged)) == expected


@pytest.mark.parametrize("body", [BODY[:-1], BODY + b" ", b"", BODY.replace(b"run.started", b"run.startex")])
async def test_another_body_is_refused(bench: Bench, body: bytes) -> None:
    headers = bench.signer.sign("POST", URL, BODY, ONE)
    assert await refused(bench, await post(bench, headers, body=body)) == (400, "digest_mismatched")


@pytest.mark.parametrize("name", ["Content-Type", "Content-Digest", "Host"])
async def test_a_header_that_must_be_there_once_is_refused_twice(bench: Bench, name: str) -> None:
    headers = list(bench.signer.sign("POST", URL, BODY, ONE).items())
    doubled = [("Host", "127.0.0.1:8081"), *headers, (name, dict(headers).get(name, "127.0.0.1:8081"))]
    answer = await bench.client.post("/v1/events", content=BODY, headers=doubled)
    assert await refused(bench, answer) == (400, "malformed_request")


async def test_a_body_that_grows_past_the_cap_is_refused_while_it_is_read(bench: Bench) -> None:
    sent = []

    async def endless() -> object:
        for number in range(1000):
            sent.append(number)
            yield b" " * 64 * 1024

    headers = bench.signer.sign("POST", URL, BODY, ONE)
    answer = await bench.client.post("/v1/events", content=endless(), headers=headers)
    assert await refused(bench, answer) == (413, "payload_too_large")
    assert len(sent) <= 6


@pytest.mark.parametrize("path", ["/v1/events?a=1", "/v1/%65vents"])
async def test_another_target_than_the_signed_one_is_refused(bench: Bench, path: str) -> None:
    headers = bench.signer.sign("POST", URL, BODY, ONE)
    assert await refused(bench, await post(bench, headers, path=path)) == (401, "invalid_signature")


async def test_a_signed_percent_encoded_target_is_accepted(bench: Bench) -> None:
    headers = bench.signer.sign("POST", f"{ORIGIN}/v1/%65vents", BODY, ONE)
    assert (await post(bench, headers, path="/v1/%65vents")).status_code == 202


@pytest.mark.parametrize(
    "header", ["x-forwarded-host", "x-forwarded-proto", "forwarded", "x-tenant", "ce-type", "traceparent"]
)
async def test_an_unsigned_header_has_no_influence(bench: Bench, header: str) -> None:
    headers = bench.signer.sign("POST", URL, BODY, ONE) | {header: "evil.example.com"}
    assert (await post(bench, headers)).status_code == 202
    assert bench.published == [("lifecycle", "run.started", "run-1")]


async def test_a_signature_for_a_spoofed_host_is_refused(bench: Bench) -> None:
    headers = bench.signer.sign("POST", "https://evil.example.com/v1/events", BODY, ONE) | {
        "x-forwarded-host": "evil.example.com"
    }
    assert await refused(bench, await post(bench, headers)) == (401, "invalid_signature")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "PATCH"])
async def test_another_method_is_refused_with_the_right_one(bench: Bench, method: str) -> None:
    answer = await bench.client.request(method, "/v1/events")
    assert await refused(bench, answer) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("path", ["/v1/events/", "/v1", "/", "/v1/events/x"])
async def test_another_path_is_not_found_and_never_redirected(bench: Bench, path: str) -> None:
    assert await refused(
        bench, await post(bench, bench.signer.sign("POST", ORIGIN + path, BODY, ONE), path=path)
    ) == (404, "not_found")


async def test_an_unknown_key_a_revoked_key_and_a_wrong_signature_look_the_same() -> None:
    revoked, key = signer_and_key(keyid="key-2", state="revoked", clock=NOW.timestamp)
    bench = new_bench(key)
    unknown = Signer("key-3", Algorithm.ED25519, new_private_key(Algorithm.ED25519), clock=NOW.timestamp)
    forger = Signer("key-1", Algorithm.ED25519, new_private_key(Algorithm.ED25519), clock=NOW.timestamp)
    answers = [await bench.post(BODY, signer=signer) for signer in (revoked, unknown, forger)]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert len({tuple(answer.headers.items()) for answer in answers}) == 1
    for reason, keyid in (("unusable_key", "key-2"), ("unknown_key", ""), ("wrong_signature", "key-1")):
        assert bench.count("refused_total", reason=reason, keyid=keyid) == 1


async def test_a_refused_request_does_not_burn_its_nonce(bench: Bench) -> None:
    parameters = parameters_at(SECOND)
    headers = sign_by_hand(bench.signer, BODY, parameters=parameters)
    forged = headers | {"Signature": "signalbox=:AAAA:"}
    assert await refused(bench, await post(bench, forged)) == (401, "invalid_signature")
    assert (await post(bench, headers)).status_code == 202


@pytest.mark.parametrize(
    ("record", "code"),
    [
        ({"events": ("step.*",)}, "event_type_forbidden"),
        ({"tenant": "other"}, "tenant_forbidden"),
        ({"sources": ("/billing/*",)}, "source_forbidden"),
    ],
)
async def test_a_sender_without_the_permission_is_refused(record: dict[str, object], code: str) -> None:
    bench = new_bench(record=record)
    assert await refused(bench, await bench.send(EVENT)) == (403, code)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="unfinished"),
        pytest.param(BODY + b"x", id="trailing"),
        pytest.param(BODY.replace(b'"id"', b'"id\xff"'), id="not-utf-8"),
        pytest.param(BODY.replace(b'"sequence":1', b'"sequence":NaN'), id="nan"),
        pytest.param(BODY.replace(b'"sequence":1', b'"sequence":1,"sequence":2'), id="member-twice"),
        pytest.param(BODY.replace(b'"pipeline"', b'"title":"a","pipeline"'), id="member-of-data-twice"),
        pytest.param(BODY.replace(b'"sequence":1', b'"x":' + b"[" * 10_000 + b"]" * 10_000), id="deep"),
        pytest.param(b"[" * 100_000, id="very-deep"),
    ],
)
async def test_a_body_that_is_not_json_is_malformed(bench: Bench, body: bytes) -> None:
    assert await refused(bench, await bench.post(body)) == (400, "malformed_json")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        pytest.param({"specversion": "2.0"}, "specversion", id="specversion"),
        pytest.param({"id": None}, "id", id="no-id"),
        pytest.param({"id": ""}, "id", id="empty-id"),
        pytest.param({"id": "i" * 2048}, "id", id="long-id"),
        pytest.param({"id": "a\u0000b"}, "id", id="control-character"),
        pytest.param({"id": 7}, "id", id="id-is-a-number"),
        pytest.param({"time": "yesterday"}, "time", id="time"),
        pytest.param({"time": "2026-01-01T00:00:00"}, "time", id="time-without-zone"),
        pytest.param({"type": "run.started"}, "type", id="short-type"),
        pytest.param({"type": "dev.signalbox.run.exploded.v1"}, "type", id="unknown-type-of-the-system"),
        pytest.param({"type": "dev.signalbox.run.started.v2"}, "type", id="unknown-version"),
        pytest.param({"type": "com.example.thing.v1"}, "type", id="foreign-type"),
        pytest.param({"sequence": None}, "sequence", id="milestone-without-sequence"),
        pytest.param({"sequence": 0}, "sequence", id="sequence-0"),
        pytest.param({"sequence": 2**60}, "sequence", id="sequence-too-large"),
        pytest.param({"type": "dev.signalbox.step.progress.v1"}, "sequence", id="progress-with-sequence"),
        pytest.param({"runid": "../x"}, "runid", id="run-id"),
        pytest.param({"subject": "s" * 300}, "subject", id="long-subject"),
        pytest.param({"traceparent": "t" * 300}, "traceparent", id="long-traceparent"),
        pytest.param({"datacontenttype": "text/xml"}, "datacontenttype", id="xml"),
        pytest.param({"data": {"pipeline": 1}}, "data", id="data-of-another-type"),
        pytest.param({"data": None}, "data", id="no-data"),
    ],
)
async def test_a_wrong_event_names_the_member(bench: Bench, change: dict[str, object], field: str) -> None:
    members = {name: value for name, value in (json.loads(BODY) | change).items() if value is not None}
    answer = await bench.post(json.dumps(members).encode())
    assert await refused(bench, answer) == (422, "invalid_input")
    assert answer.json()["field"] == field


async def test_an_unknown_member_is_ignored_as_cloudevents_asks(bench: Bench) -> None:
    assert (await bench.post(json.dumps(json.loads(BODY) | {"myextension": 1}).encode())).status_code == 202


@pytest.mark.parametrize(
    ("body", "field"),
    [
        pytest.param(b"[]", "events", id="empty"),
        pytest.param(
            batch_of([replace(EVENT, id=str(n), sequence=n + 1) for n in range(101)]),
            "events",
            id="101-events",
        ),
        pytest.param(
            batch_of([EVENT, replace(SECOND_EVENT, runid="run-2", tenantid="other")]),
            "tenantid",
            id="two-tenants",
        ),
        pytest.param(batch_of([EVENT, EVENT]), "id", id="an-event-twice"),
        pytest.param(batch_of([EVENT, replace(SECOND_EVENT, id="")]), "id", id="one-is-wrong"),
        pytest.param(BODY, "event", id="not-an-array"),
    ],
)
async def test_a_wrong_batch_is_refused_as_a_whole(bench: Bench, body: bytes, field: str) -> None:
    answer = await bench.post(body, BATCH)
    assert await refused(bench, answer) == (422, "invalid_input")
    assert answer.json()["field"] == field


async def test_a_large_batch_is_accepted_where_a_large_event_is_not(bench: Bench) -> None:
    events = [replace(EVENT, id=str(n), sequence=n + 1, dataschema="x" * 1000) for n in range(100)]
    body = batch_of(events) + b" " * 200 * 1024
    assert await refused(bench, await bench.post(body, ONE)) == (413, "payload_too_large")
    assert (await bench.post(body, BATCH)).status_code == 202


async def test_a_refusal_is_counted_by_its_code(bench: Bench) -> None:
    await post(bench, {"content-type": ONE})
    text = (await bench.client.get("/metrics")).text
    assert 'signalbox_receiver_deliveries_total{code="signature_required"} 1.0' in text
