"""A secret is never shown by accident, and crosses processes only when sealed."""

import pickle

import msgspec
import pytest
from msgspec import Struct

from signalbox_core.secret import Secret, clear_hook, decode_hook, encode_hook, schema_hook

SEALED = "sealed.2026-01-01-abc123." + "A" * 48


class Login(Struct, frozen=True):
    password: Secret


@pytest.mark.parametrize(
    "shown", [repr, str, "{}".format, lambda login: repr([login]), lambda login: f"{login.password!r:>40}"]
)
def test_it_prints_masked(shown: object) -> None:
    assert callable(shown)
    assert "hunter2" not in shown(Login(Secret("hunter2")))
    assert "A" * 48 not in shown(Login(Secret(None, sealed=SEALED)))


def test_it_is_not_encoded_by_accident() -> None:
    login = Login(Secret("hunter2"))
    for encode in (
        msgspec.json.encode,
        msgspec.to_builtins,
        pickle.dumps,
        lambda value: msgspec.json.encode(value, enc_hook=encode_hook),
    ):
        with pytest.raises(TypeError):
            encode(login)


def test_between_processes_it_is_sealed() -> None:
    sent = msgspec.json.encode(Login(Secret(None, sealed=SEALED)), enc_hook=encode_hook)

    assert sent == b'{"password":"' + SEALED.encode() + b'"}'
    assert msgspec.json.decode(sent, type=Login, dec_hook=decode_hook).password.sealed == SEALED


@pytest.mark.parametrize("given", ["hunter2", "sealed.x.y", "", 7, None, [SEALED]])
def test_inside_the_system_only_a_sealed_secret_is_accepted_and_it_is_never_shown(given: object) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(msgspec.json.encode({"password": given}), type=Login, dec_hook=decode_hook)
    assert "hunter2" not in str(caught.value)
    assert str(caught.value).endswith("at `$.password`")


def test_input_from_outside_is_plain_text_even_if_it_looks_sealed() -> None:
    login = msgspec.json.decode(msgspec.json.encode({"password": SEALED}), type=Login, dec_hook=clear_hook)

    assert login.password.reveal() == SEALED
    assert login.password.sealed is None


def test_its_schema_is_a_write_only_password() -> None:
    (_,), components = msgspec.json.schema_components((Login,), schema_hook=schema_hook)

    assert components["Login"]["properties"]["password"] == {
        "type": "string",
        "format": "password",
        "writeOnly": True,
        "minLength": 1,
        "maxLength": 10_000,
    }
