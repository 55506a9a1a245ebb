"""Cases 44 to 63: requests that were changed after they were signed, or signed for something else."""

import re
from collections.abc import Callable

import pytest

from signalbox_core.signatures import content_digest
from support.assertions.receiver_cases import BODY, SECOND, Headers, by_hand, case, is_refused, post, signed
from support.drivers.signed_requests import BATCH, ONE, ORIGIN, parameters_at, sign_by_hand
from support.fakes.events import story
from support.fakes.receiver import Bench, batch_of, new_bench

OTHER = batch_of(story()[1:2])[1:-1]
Alter = Callable[[str], str]


@pytest.fixture
def bench() -> Bench:
    return new_bench()


@pytest.mark.parametrize("method", [case(44, "put", "PUT"), case(44, "patch", "PATCH")])
async def test_another_method_is_refused_with_the_right_one(bench: Bench, method: str) -> None:
    answer = await bench.client.request(method, "/v1/events", content=BODY, headers=signed(bench))
    await is_refused(bench, answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize(
    ("signed_path", "sent_path", "status", "code"),
    [
        case(45, "another-path", "/v1/events", "/v1/eventz", 404, "not_found"),
        case(45, "another-query", "/v1/events?a=1", "/v1/events?a=2", 401, "invalid_signature"),
        case(46, "query-added", "/v1/events", "/v1/events?a=1", 401, "invalid_signature"),
        case(49, "letter-encoded", "/v1/events", "/v1/%65vents", 401, "invalid_signature"),
        case(49, "letter-decoded", "/v1/%65vents", "/v1/events", 401, "invalid_signature"),
        case(49, "slash-encoded", "/v1/events", "/v1%2Fevents", 401, "invalid_signature"),
    ],
)
async def test_another_target_is_refused(
    bench: Bench, signed_path: str, sent_path: str, status: int, code: str
) -> None:
    headers = bench.signer.sign("POST", ORIGIN + signed_path, BODY, ONE)
    await is_refused(bench, await post(bench, headers, path=sent_path), status, code)


@pytest.mark.parametrize(
    "path", [case(49, "signed-letter", "/v1/%65vents"), case(49, "signed-slash", "/v1%2Fevents")]
)
async def test_an_encoded_target_verifies_as_it_was_sent(bench: Bench, path: str) -> None:
    assert (
        await post(bench, bench.signer.sign("POST", ORIGIN + path, BODY, ONE), path=path)
    ).status_code == 202


@pytest.mark.parametrize(
    "host",
    [case(47, "another-deployment", "staging.example.com"), case(47, "another-port", "127.0.0.1:8082")],
)
async def test_another_host_is_refused_although_it_was_signed(bench: Bench, host: str) -> None:
    headers = bench.signer.sign("POST", f"http://{host}/v1/events", BODY, ONE) | {"host": host}
    await is_refused(bench, await post(bench, headers), 421, "misdirected_request")


SPOOFED = [
    case(48, "x-forwarded-host", "x-forwarded-host", "evil.example.com"),
    case(48, "x-forwarded-proto", "x-forwarded-proto", "https"),
    case(48, "forwarded", "forwarded", "host=evil.example.com;proto=https"),
]


@pytest.mark.parametrize(("name", "value"), SPOOFED)
async def test_a_forwarding_header_changes_nothing(bench: Bench, name: str, value: str) -> None:
    spoofed = bench.signer.sign("POST", "https://evil.example.com/v1/events", BODY, ONE) | {name: value}
    await is_refused(bench, await post(bench, spoofed), 401, "invalid_signature")
    assert (await post(bench, signed(bench) | {name: value})).status_code == 202


@pytest.mark.parametrize(
    "body",
    [
        case(50, "byte-flipped", BODY.replace(b"run.started", b"run.startex")),
        case(50, "appended", BODY + b" "),
        case(50, "truncated", BODY[:-1]),
        case(50, "emptied", b""),
    ],
)
async def test_another_body_is_refused(bench: Bench, body: bytes) -> None:
    await is_refused(bench, await post(bench, signed(bench), body=body), 400, "digest_mismatched")


GOOD = content_digest(BODY)
HEADER_CHANGES = [
    case(52, "no-digest", {"content-digest": None}, 401, "signature_incomplete"),
    case(
        57, "repr-digest-instead", {"content-digest": None, "repr-digest": GOOD}, 401, "signature_incomplete"
    ),
    case(58, "another-media-type", {"content-type": BATCH}, 401, "invalid_signature"),
    case(58, "media-type-in-capitals", {"content-type": ONE.upper()}, 401, "invalid_signature"),
]


@pytest.mark.parametrize(("change", "status", "code"), HEADER_CHANGES)
async def test_a_changed_header_is_refused(
    bench: Bench, change: dict[str, str | None], status: int, code: str
) -> None:
    headers = {name: value for name, value in (signed(bench) | change).items() if value is not None}
    await is_refused(bench, await post(bench, headers), status, code)


@pytest.mark.parametrize("body", [case(51, "body-and-digest", OTHER)])
async def test_body_and_digest_changed_together_are_refused(bench: Bench, body: bytes) -> None:
    headers = signed(bench) | {"content-digest": content_digest(body)}
    await is_refused(bench, await post(bench, headers, body=body), 401, "invalid_signature")


@pytest.mark.parametrize(
    "name",
    [case(53, "digest-in-two-lines", "content-digest"), case(59, "media-type-in-two-lines", "content-type")],
)
async def test_a_covered_header_in_two_lines_is_refused(bench: Bench, name: str) -> None:
    headers = signed(bench)
    await is_refused(
        bench, await post(bench, [*headers.items(), (name, headers[name])]), 400, "malformed_request"
    )


@pytest.mark.parametrize(
    ("digest", "code"),
    [
        case(54, "md5", "md5=:1B2M2Y8AsgTpgAmY7PhCfg==:", "digest_unsupported"),
        case(54, "sha", "sha=:2jmj7l5rSw0yVb/vlWAYkK/YBwk=:", "digest_unsupported"),
        case(54, "unixsum", "unixsum=:AA==:", "digest_unsupported"),
        case(54, "crc32c", "crc32c=:AAAAAA==:", "digest_unsupported"),
        case(55, "one-right-one-wrong", f"{GOOD}, sha-512=:{'A' * 86}==:", "digest_mismatched"),
        case(56, "wrong-length", "sha-256=:AAAA:", "digest_malformed"),
        case(56, "not-bytes", 'sha-256="text"', "digest_malformed"),
        case(56, "not-a-dictionary", "(((", "digest_malformed"),
    ],
)
async def test_a_signed_digest_that_is_not_good_is_refused(bench: Bench, digest: str, code: str) -> None:
    headers = sign_by_hand(
        bench.signer, BODY, parameters=parameters_at(SECOND), values={"content-digest": digest}
    )
    await is_refused(bench, await post(bench, headers | {"Content-Digest": digest}), 400, code)


ALTERED = {
    "created": (rf"created={SECOND}", f"created={SECOND + 1}", "invalid_signature"),
    "expires": (rf"expires={SECOND + 300}", f"expires={SECOND + 299}", "invalid_signature"),
    "nonce": (r"0123456789", "9876543210", "invalid_signature"),
    "keyid": (r'keyid="key-1"', 'keyid="key-2"', "invalid_signature"),
    "alg": (r'alg="ed25519"', 'alg="rsa-pss-sha512"', "invalid_signature"),
    "tag": (r'tag="signalbox-event"', 'tag="other"', "signature_required"),
}


@pytest.mark.parametrize(
    ("pattern", "put", "code"),
    [
        *(case(60, f"{name}-altered", *row) for name, row in ALTERED.items()),
        *(
            case(
                60,
                f"{name}-removed",
                rf";{name}=[^;]+",
                "",
                "signature_required" if name == "tag" else "signature_incomplete",
            )
            for name in ALTERED
        ),
        case(60, "reordered", r"(;created=\d+)(;expires=\d+)", r"\2\1", "invalid_signature"),
        case(
            61,
            "components-reordered",
            r'"@method" "@target-uri"',
            '"@target-uri" "@method"',
            "invalid_signature",
        ),
    ],
)
async def test_a_changed_signature_input_is_refused(bench: Bench, pattern: str, put: str, code: str) -> None:
    headers = by_hand(bench)
    changed = re.sub(pattern, put, headers["signature-input"])
    assert changed != headers["signature-input"]
    await is_refused(bench, await post(bench, headers | {"signature-input": changed}), 401, code)


def flip(headers: Headers) -> str:
    value = headers["signature"]
    return value[:20] + ("A" if value[20] != "A" else "B") + value[21:]


@pytest.mark.parametrize(
    ("alter", "status", "code"),
    [
        case(62, "bit-flipped", flip, 401, "invalid_signature"),
        case(62, "truncated", lambda headers: headers["signature"][:51] + ":", 401, "invalid_signature"),
        case(62, "empty", lambda _: "signalbox=::", 400, "signature_malformed"),
        case(62, "of-1-mib", lambda _: f"signalbox=:{'A' * 1024 * 1024}:", 431, "headers_too_large"),
    ],
)
async def test_a_changed_signature_is_refused(
    bench: Bench, alter: Callable[[Headers], str], status: int, code: str
) -> None:
    headers = signed(bench)
    await is_refused(bench, await post(bench, headers | {"signature": alter(headers)}), status, code)


UNSIGNED = ("x-tenant", "x-event-type", "webhook-id", "traceparent", "ce-type", "ce-id")


@pytest.mark.parametrize("name", [case(63, name, name) for name in UNSIGNED])
async def test_an_unsigned_header_has_no_influence(bench: Bench, name: str) -> None:
    assert (await post(bench, signed(bench) | {name: "evil"})).status_code == 202
    [(topic, event, key)] = bench.publisher.published
    assert (topic, event.tenantid, event.name, event.traceparent, key) == (
        "lifecycle",
        "acme",
        "run.started",
        None,
        "run-1",
    )
    assert (await post(bench, signed(bench) | {name: "other"})).json() == {"duplicate": True}
