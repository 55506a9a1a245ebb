"""Standard Webhooks: signing and verification against the published vector and the reference library."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks.webhooks import Webhook

from signalbox_core.crypto.standard_webhooks import parse_secrets, signed_headers, verify
from signalbox_core.errors import InvalidInput, InvalidSignature

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDX2fsLtC3G+E="
ID, NOW, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'


def headers_of(secret: str = SECRET, at: int = NOW, **changed: str) -> dict[str, str]:
    """The headers of BODY, with members replaced; underscores stand for hyphens."""
    changes = {name.replace("_", "-"): value for name, value in changed.items()}
    return signed_headers(parse_secrets(secret), ID, at, BODY) | changes


def code_of(headers: dict[str, str], body: bytes = BODY, now: float = NOW, secret: str = SECRET) -> str:
    with pytest.raises(InvalidSignature) as caught:
        verify(parse_secrets(secret), headers, body, now)
    return caught.value.stable_code


def test_the_signature_is_that_of_the_published_vector() -> None:
    assert headers_of() == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_the_reference_library_verifies_what_is_signed_here() -> None:
    signed = headers_of(at=int(datetime.now(UTC).timestamp()))
    assert Webhook(SECRET).verify(BODY, signed) == {"test": 2432232314}


def test_what_the_reference_library_signs_is_verified_here() -> None:
    signature = Webhook(SECRET).sign(ID, datetime.fromtimestamp(NOW, UTC), BODY.decode())
    headers = {"webhook-id": ID, "webhook-timestamp": str(NOW), "webhook-signature": signature}
    assert verify(parse_secrets(SECRET), headers, BODY, NOW) == ID


def test_while_a_secret_is_rotated_each_secret_signs() -> None:
    first, second = b"a" * 24, b"b" * 32
    text = "\n".join(f"whsec_{base64.b64encode(secret).decode()}" for secret in (first, second))
    signatures = signed_headers(parse_secrets(text), "id", 1, b"{}")["webhook-signature"].split(" ")
    assert signatures == [
        "v1," + base64.b64encode(hmac.digest(secret, b"id.1.{}", hashlib.sha256)).decode()
        for secret in (first, second)
    ]


def test_while_a_secret_is_rotated_a_signature_of_either_is_accepted() -> None:
    both = parse_secrets(f"{OTHER}\n{SECRET}")
    assert verify(both, headers_of(SECRET), BODY, NOW) == ID
    assert verify(both, headers_of(OTHER), BODY, NOW) == ID
    assert verify(parse_secrets(SECRET), headers_of(f"{OTHER}\n{SECRET}"), BODY, NOW) == ID


def test_signatures_of_other_schemes_are_ignored() -> None:
    signature = headers_of()["webhook-signature"]
    assert verify(parse_secrets(SECRET), headers_of(webhook_signature=f"v1a,xx {signature}"), BODY, NOW) == ID
    assert code_of(headers_of(webhook_signature="v1a,xx")) == "webhook_malformed"


@pytest.mark.parametrize(
    ("seconds", "accepted"), [(-301, False), (-300, True), (0, True), (300, True), (301, False)]
)
def test_the_timestamp_may_differ_by_the_tolerance_in_both_directions(seconds: int, accepted: bool) -> None:
    headers = headers_of(at=NOW + seconds)
    if accepted:
        assert verify(parse_secrets(SECRET), headers, BODY, NOW) == ID
    else:
        assert code_of(headers) == "webhook_stale"


def test_the_tolerance_is_configurable() -> None:
    with pytest.raises(InvalidSignature, match="differs from now by 11 s, and 10 s are allowed"):
        verify(parse_secrets(SECRET), headers_of(), BODY, NOW + 11, tolerance=timedelta(seconds=10))


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_or_empty_header_is_named(name: str) -> None:
    headers = headers_of()
    assert code_of(headers | {name: ""}) == "webhook_unsigned"
    del headers[name]
    assert code_of(headers) == "webhook_unsigned"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("webhook_timestamp", "yesterday"),
        ("webhook_timestamp", "-1"),
        ("webhook_timestamp", "1614265330.5"),
        ("webhook_timestamp", "٣"),
        ("webhook_timestamp", "9" * 5000),
        ("webhook_signature", "g0hM9SsE"),
        ("webhook_signature", "v1,no-base64"),
        ("webhook_signature", "v1,!!!!"),
        ("webhook_signature", "v1,é"),
        ("webhook_signature", " ".join(["v1,g0hM9SsE"] * 21)),
        ("webhook_id", "x" * 201),
        ("webhook_id", "é"),
        ("webhook_id", "a\x00b"),
    ],
)
def test_a_malformed_header_is_refused(name: str, value: str) -> None:
    assert code_of(headers_of(**{name: value})) == "webhook_malformed"


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"webhook_id": "msg_other"}, id="id"),
        pytest.param({"webhook_timestamp": str(NOW + 1)}, id="timestamp"),
        pytest.param({"webhook_signature": headers_of(OTHER)["webhook-signature"]}, id="other secret"),
        pytest.param({"webhook_signature": "v1,"}, id="empty signature"),
    ],
)
def test_a_changed_webhook_is_refused(changed: dict[str, str]) -> None:
    assert code_of(headers_of(**changed)) == "webhook_signature_invalid"


@pytest.mark.parametrize("body", [b"", BODY + b" ", b'{"test":2432232314}'])
def test_a_changed_body_is_refused(body: bytes) -> None:
    assert code_of(headers_of(), body) == "webhook_signature_invalid"


def test_a_secret_may_lack_the_prefix_and_the_padding() -> None:
    padded = "whsec_" + base64.b64encode(b"a" * 25).decode()
    assert padded.endswith("==")
    assert (
        parse_secrets(padded)
        == parse_secrets(padded.rstrip("="))
        == parse_secrets(padded.removeprefix("whsec_"))
    )


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_!!!!", "plain text, no base64", "é"])
def test_a_weak_or_malformed_secret_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="whsec_ and the base64 of 24 random bytes or more"):
        parse_secrets(text)
