"""Schemas of answers: which are supported, and that validation agrees with the reference implementation."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from signalbox_core.errors import InvalidInput
from signalbox_pipelines.ai_task.schema_validation import MAX_VIOLATIONS, find_violations
from signalbox_pipelines.ai_task.schemas import MAX_SCHEMA_BYTES, Schema, check_schema

SCHEMA: Schema = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 5},
        "count": {"type": "integer", "minimum": 0, "exclusiveMaximum": 10},
        "price": {"type": ["number", "null"], "exclusiveMinimum": 0},
        "kind": {"enum": ["a", 1, None, True]},
        "exact": {"const": False},
        "tags": {
            "type": "array",
            "items": {"type": "string"},
            "minItems": 1,
            "maxItems": 2,
            "uniqueItems": True,
        },
        "either": {"anyOf": [{"type": "integer"}, {"type": "string", "maxLength": 2}]},
        "inner": {"$ref": "#/$defs/point"},
    },
    "required": ["name"],
    "additionalProperties": False,
    "$defs": {"point": {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]}},
}
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-2, 12)
    | st.floats(-2, 12)
    | st.sampled_from(["", "a", "abc", "abcdefg"])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["x", "y"]), inner),
    max_leaves=4,
)
answers = st.dictionaries(st.sampled_from([*SCHEMA["properties"], "other"]), values, max_size=8)


@given(answers | values)
def test_validation_agrees_with_the_reference_implementation(value: Any) -> None:
    assert (find_violations(SCHEMA, value) == ()) == Draft202012Validator(SCHEMA).is_valid(value)


def test_violations_name_their_location() -> None:
    found = find_violations(SCHEMA, {"tags": ["a", 1], "inner": {}, "count": 12})

    assert found == (
        "the answer lacks 'name'",
        "the answer.tags[1] must be string, not integer",
        "the answer.inner lacks 'x'",
        "the answer.count breaks exclusiveMaximum 10 (it is 12)",
    )


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("date", "2026-03-14", "14.03.2026"),
        ("date-time", "2026-03-14T09:30:00Z", "2026-03-14"),
        ("email", "lan@example.com", "lan at example"),
        ("uri", "https://example.com/a", "example"),
        ("uuid", "00000000-0000-4000-8000-000000000000", "1234"),
        ("unheard-of", "anything", None),
    ],
)
def test_formats_are_checked(name: str, good: str, bad: str | None) -> None:
    schema = {"type": "string", "format": name}

    assert find_violations(schema, good) == ()
    assert bad is None or len(find_violations(schema, bad)) == 1


def test_the_number_of_violations_is_limited() -> None:
    assert len(find_violations({"type": "array", "items": {"type": "string"}}, [1] * 1_000)) == MAX_VIOLATIONS


def test_validation_of_a_recursive_schema_ends() -> None:
    schema = {"$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/a"}]}}, "$ref": "#/$defs/a"}

    assert any("too deep" in problem or "matches none" in problem for problem in find_violations(schema, {}))


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "string"}, '"type": "object"'),
        ({"type": "object", "properties": {}}, "at least one property"),
        ({"type": "object", "properties": {"a": {"type": "text"}}}, "no type 'text'"),
        ({"type": "object", "properties": {"a": {"pattern": "(a+)+$"}}}, "'pattern' is not supported"),
        (
            {"type": "object", "properties": {"a": {"$ref": "https://example.com/a.json"}}},
            "cannot be resolved",
        ),
        ({"type": "object", "properties": {"a": {"maxLength": "5"}}}, "must be a number"),
        ({"type": "object", "properties": {"a": {"enum": "b"}}}, "must be a list"),
        ({"type": "object", "properties": {"a": 5}}, "must be a schema"),
        (
            {"type": "object", "properties": {"a": {"description": "x" * MAX_SCHEMA_BYTES}}},
            "ask for fewer fields",
        ),
    ],
)
def test_an_unsupported_schema_is_refused(schema: Schema, message: str) -> None:
    with pytest.raises(InvalidInput, match="output_schema") as refused:
        check_schema(schema)

    assert message in refused.value.detail


def test_a_supported_schema_is_accepted() -> None:
    check_schema(SCHEMA)
