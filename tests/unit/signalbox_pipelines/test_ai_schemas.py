"""Schemas of answers: what is admitted, and that a check says the same as the reference implementation."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from signalbox_core.errors import InvalidInput
from signalbox_pipelines.ai_task.schema_conformance import MAX_PROBLEMS, problems_of
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
def test_a_check_says_what_the_reference_says(value: Any) -> None:
    assert (problems_of(SCHEMA, value) == ()) == Draft202012Validator(SCHEMA).is_valid(value)


def test_problems_name_the_place() -> None:
    found = problems_of(SCHEMA, {"tags": ["a", 1], "inner": {}, "count": 12})

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

    assert problems_of(schema, good) == ()
    assert bad is None or len(problems_of(schema, bad)) == 1


def test_problems_are_bounded() -> None:
    assert len(problems_of({"type": "array", "items": {"type": "string"}}, [1] * 1_000)) == MAX_PROBLEMS


def test_a_schema_that_refers_to_itself_ends() -> None:
    schema = {"$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/a"}]}}, "$ref": "#/$defs/a"}

    assert any("too deep" in problem or "fits none" in problem for problem in problems_of(schema, {}))


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "string"}, '"type": "object"'),
        ({"type": "object", "properties": {}}, "name what to find"),
        ({"type": "object", "properties": {"a": {"type": "text"}}}, "no type 'text'"),
        ({"type": "object", "properties": {"a": {"pattern": "(a+)+$"}}}, "'pattern' is not supported"),
        ({"type": "object", "properties": {"a": {"$ref": "https://example.com/a.json"}}}, "leads nowhere"),
        ({"type": "object", "properties": {"a": {"maxLength": "5"}}}, "must be a number"),
        ({"type": "object", "properties": {"a": {"enum": "b"}}}, "must be a list"),
        ({"type": "object", "properties": {"a": 5}}, "must be a schema"),
        (
            {"type": "object", "properties": {"a": {"description": "x" * MAX_SCHEMA_BYTES}}},
            "ask for fewer fields",
        ),
    ],
)
def test_what_cannot_be_checked_is_refused_by_name(schema: Schema, said: str) -> None:
    with pytest.raises(InvalidInput, match="output_schema") as refused:
        check_schema(schema)

    assert said in refused.value.detail


def test_the_sample_is_admitted() -> None:
    check_schema(SCHEMA)
