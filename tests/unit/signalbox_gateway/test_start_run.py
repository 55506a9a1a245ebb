"""A start's digest is stable, and the typed input that Temporal gets has sealed secrets."""

from pathlib import Path

import msgspec
import pytest
from msgspec import Struct

from signalbox_core.errors import Unavailable
from signalbox_core.pipeline import PipelineSpec, Secret, Step
from signalbox_core.secret import SEALED, encode_hook
from signalbox_core.subjects import Subject
from signalbox_gateway.auth.principal import Principal
from signalbox_gateway.runs.starts.start_requests import RequestedRun, build_start_request
from support.fakes.echo_pipeline import SPEC as ECHO
from support.fakes.payload_keys import new_ring

CALLER = Principal(
    key_id="k", name="lan", tenant="acme", subject=Subject(subject="key:k", name="lan"), roles=frozenset()
)
ECHO_DIGEST = "46de6ae4e2ec72eabc8882e026cf339f425eed41e1097b101431bf0d8b2bed84"
"""The digest in the memos of running runs: a release that changes it refuses repeated requests with a 409."""


class SignInInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    user: str
    password: Secret


class SignInResult(Struct, frozen=True, kw_only=True):
    is_signed_in: bool


SIGN_IN = PipelineSpec(
    name="sign_in",
    title="Sign in",
    input=SignInInput,
    result=SignInResult,
    workflow="nowhere:SignIn",
    steps=(Step("enter", "Enter"),),
)


def requested(given: bytes, priority: int | None = None) -> RequestedRun:
    return RequestedRun(input=msgspec.Raw(given), run_id="r-1", priority=priority)


@pytest.mark.parametrize(
    "given",
    [b'{"text": "hi", "times": 3}', b'{"times":3,"text":"hi"}', b'{"text":"hi","times":3,"ask":false}'],
    ids=["as sent", "other order", "explicit default"],
)
def test_the_digest_of_equal_inputs_is_the_same_in_every_release(given: bytes) -> None:
    request = build_start_request(requested(given, priority=2), ECHO, CALLER, None)

    assert request.digest == ECHO_DIGEST


def test_another_input_or_priority_has_another_digest() -> None:
    digests = {
        build_start_request(requested(given, priority), ECHO, CALLER, None).digest
        for given, priority in [(b'{"text":"hi"}', 2), (b'{"text":"ho"}', 2), (b'{"text":"hi"}', 3)]
    }

    assert len(digests) == 3


def test_a_secret_is_encoded_sealed_and_its_digest_is_repeatable(tmp_path: Path) -> None:
    keys = new_ring(tmp_path)
    given = requested(b'{"user":"lan","password":"planted-71c2"}')

    first, again = (build_start_request(given, SIGN_IN, CALLER, keys) for _ in range(2))
    encoded = msgspec.json.encode(first.input, enc_hook=encode_hook)

    assert b"planted-71c2" not in encoded
    assert SEALED.fullmatch(msgspec.json.decode(encoded)["password"])
    assert "planted-71c2" not in repr(first)
    assert first.digest == again.digest


def test_a_secret_without_payload_keys_is_refused() -> None:
    given = requested(b'{"user":"lan","password":"planted-71c2"}')

    with pytest.raises(Unavailable) as caught:
        build_start_request(given, SIGN_IN, CALLER, None)

    assert caught.value.stable_code == "secrets_unavailable"
