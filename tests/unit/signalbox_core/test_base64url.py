"""base64url without padding (RFC 4648 §5): encode, decode, and decode the canonical text only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalbox_core import base64url


@given(st.binary(max_size=100))
def test_bytes_survive_encoding(value: bytes) -> None:
    text = base64url.encode(value)

    assert "=" not in text
    assert base64url.decode(text) == base64url.decode_canonical(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("", b"", id="RFC 4648 §10: empty"),
        pytest.param("Zg", b"f", id="RFC 4648 §10: f"),
        pytest.param("Zm9vYg", b"foob", id="RFC 4648 §10: foob"),
        pytest.param("-_-_", b"\xfb\xff\xbf", id="the URL-safe characters"),
    ],
)
def test_known_texts(text: str, value: bytes) -> None:
    assert base64url.encode(value) == text
    assert base64url.decode(text) == value


def test_padding_is_accepted_but_not_canonical() -> None:
    assert base64url.decode("Zg==") == b"f"
    with pytest.raises(ValueError, match="not canonical"):
        base64url.decode_canonical("Zg==")


def test_bits_after_the_last_byte_are_not_canonical() -> None:
    assert base64url.decode("Zh") == b"f"
    with pytest.raises(ValueError, match="not canonical"):
        base64url.decode_canonical("Zh")


@pytest.mark.parametrize("text", ["Z", "Zg.", "Zg\n", "Z g", "é", "Zg=a", "Zg==="])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - binascii names the reason
        base64url.decode(text)
