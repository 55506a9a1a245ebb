"""A passkey's signature is verified with its public key alone, and is wrong after any change."""

import hashlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from signalbox_core import base64url
from signalbox_core.errors import InvalidSignature
from signalbox_core.passkeys.signature import (
    DecisionStatement,
    PasskeySignature,
    answer_sha256,
    note_sha256,
)
from signalbox_core.passkeys.verification import is_origin_of, verify_signature
from support.fakes.authenticator import ORIGIN, Authenticator

STATEMENT = DecisionStatement(
    tenant="acme",
    run_id="order-1",
    approval_id="publish",
    question_digest="ab" * 32,
    decision_id="d-1",
    subject="key:lan",
    answer_sha256=answer_sha256(msgspec.Raw(b'{"word":"yes"}')),
    note_sha256=note_sha256(None),
)


@pytest.fixture
def lan() -> Authenticator:
    return Authenticator("lan")


def refusal(signature: PasskeySignature, statement: DecisionStatement = STATEMENT) -> str:
    with pytest.raises(InvalidSignature) as refused:
        verify_signature(signature, statement)
    return refused.value.stable_code


def test_a_signature_is_verified(lan: Authenticator) -> None:
    found = verify_signature(lan.sign_statement(STATEMENT), STATEMENT)
    assert (found.origin, found.sign_count) == (ORIGIN, 1)


@pytest.mark.parametrize("member", [name for name in STATEMENT.__struct_fields__ if name != "type"])
def test_a_signature_of_another_decision_is_refused(lan: Authenticator, member: str) -> None:
    other = replace(STATEMENT, **{member: True if member == "objection" else "other"})
    signature = lan.sign_statement(other)
    assert refusal(signature) == "signature_mismatch"
    assert refusal(replace(signature, statement=STATEMENT)) == "signature_mismatch"


def test_a_signature_of_another_key_is_refused(lan: Authenticator) -> None:
    minh = Authenticator("minh")
    signature = replace(lan.sign_statement(STATEMENT), public_key=minh.public_key)
    assert refusal(signature) == "signature_invalid"


def test_a_person_who_was_not_verified_is_refused(lan: Authenticator) -> None:
    lan.verifies_user = False
    assert refusal(lan.sign_statement(STATEMENT)) == "user_not_verified"


def test_a_signature_for_another_site_is_refused() -> None:
    other_page = Authenticator("lan", origin="https://evil.test")
    other_party = replace(Authenticator("lan").sign_statement(STATEMENT), rp_id="evil.test")
    assert refusal(other_page.sign_statement(STATEMENT)) == "signature_invalid"
    assert refusal(other_party) == "signature_invalid"


def test_an_assertion_of_another_ceremony_is_refused(lan: Authenticator) -> None:
    made = lan.sign(STATEMENT.challenge, kind="webauthn.create")
    signature = replace(
        lan.sign_statement(STATEMENT),
        client_data=made.client_data,
        signature=made.signature,
        authenticator_data=made.authenticator_data,
    )
    assert refusal(signature) == "signature_invalid"


@pytest.mark.parametrize("member", ["authenticator_data", "client_data", "signature"])
def test_one_changed_bit_is_refused(lan: Authenticator, member: str) -> None:
    signature = lan.sign_statement(STATEMENT)
    body = bytearray(base64url.decode_canonical(getattr(signature, member)))
    for place in range(len(body)):
        body[place] ^= 1
        changed = replace(signature, **{member: base64url.encode(bytes(body))})
        assert refusal(changed) in {"signature_invalid", "signature_mismatch", "user_not_verified"}
        body[place] ^= 1


@given(
    member=st.sampled_from(["authenticator_data", "client_data", "signature", "public_key"]),
    body=st.one_of(st.binary(max_size=200), st.just(b'{"type":1,"challenge":2,"origin":3}')),
    is_text=st.booleans(),
)
def test_malformed_bytes_are_refused(member: str, body: bytes, is_text: bool) -> None:
    signature = Authenticator("lan").sign_statement(STATEMENT)
    text = body.decode("latin-1") if is_text else base64url.encode(body)
    assert refusal(replace(signature, **{member: text})) in {"signature_invalid", "signature_mismatch"}


def test_answers_that_count_together_have_one_digest() -> None:
    assert answer_sha256(msgspec.Raw(b'{"a":1.0,"b":2}')) == answer_sha256(msgspec.Raw(b'{ "b": 2, "a": 1 }'))


@pytest.mark.parametrize(
    ("answer", "signed"),
    [
        pytest.param(b'{"rate":1e-7,"cap":1e21}', b'{"cap":1e+21,"rate":1e-7}', id="numbers"),
        pytest.param(
            '{"\uffee":1,"\U0001f600":2}'.encode(),
            '{"\U0001f600":2,"\uffee":1}'.encode(),
            id="order of members",
        ),
        pytest.param(b'{"id":9007199254740992}', b'{"id":9007199254740992}', id="a large integer"),
    ],
)
def test_the_digest_of_an_answer_is_that_of_the_browser(answer: bytes, signed: bytes) -> None:
    """`signed` is what `canonicalJson` of the browser client writes (RFC 8785)."""
    assert answer_sha256(msgspec.Raw(answer)) == hashlib.sha256(signed).hexdigest()


@pytest.mark.parametrize(
    ("origin", "belongs"),
    [
        ("https://signalbox.test", True),
        ("https://app.signalbox.test:8443", True),
        ("https://signalbox.test.evil.test", False),
        ("https://evilsignalbox.test", False),
        ("android:apk-key-hash:x", False),
        ("https://[signalbox.test", False),
        ("", False),
    ],
)
def test_a_page_belongs_to_the_relying_party_of_its_domain(origin: str, belongs: bool) -> None:
    assert is_origin_of(origin, "signalbox.test") is belongs
