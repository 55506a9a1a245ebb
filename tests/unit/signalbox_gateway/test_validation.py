"""Every invalid field of a request is named, with the remedy."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
import pytest
from msgspec import Meta, Struct

from signalbox_core.errors import InvalidInput
from signalbox_core.http.problems import InvalidFields
from signalbox_gateway.http.validation import decode, decode_query


class Inner(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Annotated[str, Meta(max_length=3)]

    def __post_init__(self) -> None:
        if self.name == "bad":
            raise InvalidInput("name must not be 'bad'; choose another", field="name")


class Outer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    count: Annotated[int, Meta(ge=1, le=5)]
    kind: Literal["a", "b"] = "a"
    when: datetime | None = None
    inner: Inner | None = None
    many: tuple[Inner, ...] = ()
    raw: msgspec.Raw = msgspec.Raw(b"null")

    def __post_init__(self) -> None:
        if self.kind == "b" and self.inner is None:
            raise InvalidInput("inner is needed with kind b; add it", field="inner")


class Query(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    limit: Annotated[int, Meta(ge=1)] = 10
    status: Literal["open", "closed"] | None = None


def invalid_fields(body: bytes, at: str = "") -> dict[str, str]:
    with pytest.raises(InvalidFields) as caught:
        decode(Outer, body, at=at)
    return {error.field: error.detail for error in caught.value.errors}


def test_a_valid_value_is_decoded() -> None:
    assert decode(Outer, b'{"count":2,"inner":{"name":"x"}}') == Outer(count=2, inner=Inner(name="x"))


CASES = [
    pytest.param(b"{}", {"count": "is required: add it"}, id="missing"),
    pytest.param(b'{"count":0}', {"count": "must be an integer >= 1"}, id="too small"),
    pytest.param(b'{"count":"1"}', {"count": "must be an integer, not a string"}, id="wrong type"),
    pytest.param(b'{"count":1,"kind":"z"}', {"kind": "must be one of: a, b"}, id="not a choice"),
    pytest.param(b'{"count":1,"inner":{}}', {"inner.name": "is required: add it"}, id="nested, missing"),
    pytest.param(
        b'{"count":1,"inner":{"name":"bad"}}',
        {"inner.name": "name must not be 'bad'; choose another"},
        id="nested, own rule",
    ),
    pytest.param(
        b'{"count":1,"kind":"b"}', {"inner": "inner is needed with kind b; add it"}, id="a rule across fields"
    ),
    pytest.param(
        b'{"count":1,"many":[{"name":"x"},{"name":"long"}]}',
        {"many[1].name": "must be a string of length <= 3"},
        id="in a list",
    ),
    pytest.param(
        b'{"count":1,"odd":1}',
        {"odd": "is unknown; known are: count, kind, when, inner, many, raw"},
        id="unknown",
    ),
    pytest.param(b"[]", {"body": "must be an object"}, id="not an object"),
    pytest.param(b"null", {"body": "must be an object"}, id="null"),
]


@pytest.mark.parametrize(("body", "expected"), CASES)
def test_an_invalid_field_is_named_with_the_remedy(body: bytes, expected: dict[str, str]) -> None:
    assert invalid_fields(body) == expected


def test_all_invalid_fields_are_reported_at_once() -> None:
    assert set(invalid_fields(b'{"count":9,"kind":"z","when":"today","more":1}')) == {
        "count",
        "kind",
        "when",
        "more",
    }


def test_field_paths_start_at_the_root_of_the_request() -> None:
    assert list(invalid_fields(b'{"count":0}', at="input")) == ["input.count"]
    assert list(invalid_fields(b"[]", at="input")) == ["input"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b"[" * 100_000, b'{"count":1}x', b'{"count":1' + b"0" * 5000], ids=str
)
def test_malformed_json_is_reported_as_such(body: bytes) -> None:
    with pytest.raises(InvalidInput) as caught:
        decode(Outer, body)

    assert caught.value.stable_code in {"bad_json", "invalid_input"}


def test_query_parameters_are_converted_and_empty_ones_count_as_absent() -> None:
    assert decode_query(Query, [("limit", "3"), ("status", "")]) == Query(limit=3)


@pytest.mark.parametrize(
    ("pairs", "field"),
    [([("limit", "x")], "limit"), ([("limit", "0")], "limit"), ([("limit", "1"), ("limit", "2")], "limit"),
     ([("status", "odd")], "status"), ([("more", "1")], "more")],
)  # fmt: skip
def test_an_invalid_query_parameter_is_named(pairs: list[tuple[str, str]], field: str) -> None:
    with pytest.raises(InvalidFields) as caught:
        decode_query(Query, pairs)

    assert caught.value.errors[0].field == field
