"""The short way of reading the signature fields agrees with the long way wherever it answers at all."""

from base64 import b64encode
from typing import Any

import http_sf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalbox_core.errors import InvalidSignature
from signalbox_core.signatures import claim, profile
from signalbox_core.signatures.canonical import read_input, read_signature
from support.drivers.signed_requests import parameters_at

KEYS = st.from_regex(r"[a-z*][a-z0-9_.*-]{0,8}", fullmatch=True)
STRINGS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=12)
VALUES = st.one_of(STRINGS, st.integers(-(10**15) + 1, 10**15 - 1), st.booleans(), st.binary(max_size=6))
ANYTHING = st.text(st.sampled_from('abz*=();:" ,.0159-_?\\AZ/+'), max_size=60)


def long_way(text: str) -> object:
    try:
        return http_sf.parse(text.encode("ascii"), tltype="dictionary")
    except (ValueError, TypeError):
        return None


@given(KEYS, st.lists(STRINGS, max_size=4), st.dictionaries(KEYS, VALUES, max_size=5))
def test_a_serialized_input_is_read_alike(label: str, names: list[str], parameters: dict[str, Any]) -> None:
    members: Any = [(name, {}) for name in names]
    text = http_sf.ser({label: (members, parameters)})
    read = read_input(text)
    plain = [*names, *(value for value in parameters.values() if type(value) is str)]
    is_plain = not any(letter in each for each in plain for letter in '\\"')
    if is_plain and all(
        type(value) is str or (type(value) is int and value >= 0) for value in parameters.values()
    ):
        assert read == (label, names, parameters, text.partition("=")[2])
    else:
        assert read is None


@given(ANYTHING)
def test_what_the_short_way_reads_the_long_way_reads_alike(text: str) -> None:
    read = read_input(text)
    if read is not None:
        label, names, parameters, serialized = read
        parsed = long_way(text)
        assert parsed == {label: ([(name, {}) for name in names], parameters)}
        assert http_sf.ser(parsed).partition("=")[2] == serialized


@given(KEYS, st.binary(max_size=70))
def test_a_signature_is_read_alike(label: str, value: bytes) -> None:
    text = f"{label}=:{b64encode(value).decode()}:"
    assert read_signature(text) == (label, value)
    assert long_way(text) == {label: (value, {})}


@given(ANYTHING)
def test_no_other_signature_is_read(text: str) -> None:
    read = read_signature(text)
    assert read is None or long_way(text) == {read[0]: (read[1], {})}


@pytest.mark.parametrize("name", profile.PARAMETERS)
@pytest.mark.parametrize(
    "value", [None, "1", '"text"', "?1", "1.5", "token", ":AAAA:", "-1", "007", '"a\\\\b"']
)
def test_both_ways_judge_alike(name: str, value: str | None) -> None:
    inner = ";".join(
        [
            '("@method" "@target-uri" "content-digest" "content-type")',
            *parameters_at(1_767_322_000, **{name: value}),
        ]
    )

    def judged(signature_input: str, signature: str) -> object:
        try:
            return claim.read_claim(signature_input, signature)
        except InvalidSignature as error:
            return error.stable_code, error.detail

    assert judged(f"s={inner}", "s=:AAAA:") == judged(f's={inner} ,  x=();tag="x"', "s=:AAAA:, x=:AAAA:")
