"""Flags from a contract's schema, and the input from flags."""

import json
from typing import Annotated, Literal

import msgspec
import pytest
from msgspec import Meta, Struct

from signalbox_client.commands.flags import build_input, flags_of, read_schema
from signalbox_core.errors import InvalidInput
from signalbox_core.pipeline.spec import json_schema
from support.uploads.contract import LetterInput


class GridPoint(Struct):
    x: int


class Input(Struct):
    url: Annotated[str, Meta(title="Page", examples=["https://a.example/"])]
    max_items: Annotated[int, Meta(description="At most")] = 3
    ratio: float | None = None
    dry_run: bool = False
    language: Literal["en", "vi"] = "en"
    sizes: tuple[Literal["small", "large"], ...] = ("small",)
    numbers: list[int] = []
    point: GridPoint | None = None


SCHEMA = read_schema(msgspec.Raw(msgspec.json.encode(json_schema(Input))))
FLAGS = {flag.field: flag for flag in flags_of(SCHEMA)}


def given(**values: str) -> dict[str, object]:
    return dict(build_input(tuple(FLAGS.values()), values, {}))


def test_every_field_is_a_flag_in_the_contracts_order() -> None:
    assert [flag.option for flag in FLAGS.values()] == [
        "--url", "--max-items", "--ratio", "--dry-run", "--language", "--sizes", "--numbers", "--point",
    ]  # fmt: skip


def test_only_fields_without_a_default_are_required() -> None:
    assert [flag.field for flag in FLAGS.values() if flag.required] == ["url"]


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        pytest.param("url", "https://x.example", "https://x.example", id="text"),
        pytest.param("max_items", "7", 7, id="whole number"),
        pytest.param("ratio", "0.5", 0.5, id="number that may be null"),
        pytest.param("dry_run", "yes", True, id="truth"),
        pytest.param("language", "vi", "vi", id="choice"),
        pytest.param("sizes", "small, large", ["small", "large"], id="several"),
        pytest.param("numbers", "1,2", [1, 2], id="several numbers"),
        pytest.param("point", '{"x": 1}', {"x": 1}, id="JSON"),
    ],
)
def test_a_flags_text_is_converted_to_its_type(field: str, text: str, value: object) -> None:
    assert given(**{field: text}) == {field: value}


@pytest.mark.parametrize(
    ("field", "text", "message"),
    [
        pytest.param(
            "max_items", "many", r"--max-items must be a whole number, not 'many'", id="whole number"
        ),
        pytest.param("ratio", "half", "--ratio must be a number", id="number"),
        pytest.param("dry_run", "maybe", "--dry-run must be true or false", id="truth"),
        pytest.param("numbers", "1,x", "--numbers must be a whole number", id="one of several"),
        pytest.param("point", "{", "--point must be JSON", id="JSON"),
    ],
)
def test_a_wrong_value_names_its_flag(field: str, text: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        given(**{field: text})


def test_a_flag_overrides_the_file() -> None:
    assert build_input(tuple(FLAGS.values()), {"url": "b"}, {"url": "a", "max_items": 1}) == {
        "url": "b",
        "max_items": 1,
    }


@pytest.mark.parametrize(
    ("field", "part"),
    [
        pytest.param("url", "for example https://a.example/", id="example"),
        pytest.param("max_items", "At most (default 3)", id="description and default"),
        pytest.param("language", "one of en, vi", id="choices"),
        pytest.param("sizes", "any of large, small", id="several of"),
    ],
)
def test_the_help_comes_from_the_contract(field: str, part: str) -> None:
    assert part in FLAGS[field].help


def test_a_field_without_a_type_takes_json() -> None:
    flags = flags_of(
        read_schema(msgspec.Raw(b'{"properties": {"a": {"type": ["string", "null"]}, "b": {}}}'))
    )
    assert [(flag.field, flag.kind) for flag in flags] == [("a", "string"), ("b", "json")]


def test_an_upload_is_a_flag_that_takes_a_file() -> None:
    schema = read_schema(msgspec.Raw(msgspec.json.encode(json_schema(LetterInput))))
    letter, enclosure = flags_of(schema)

    assert (letter.kind, letter.required, letter.option) == ("upload", True, "--letter")
    assert (enclosure.kind, enclosure.required) == ("upload", False)
    assert "the path of a file to upload" in letter.help
    stored = {"object": "uploads/acme/ab", "name": "letter.pdf"}
    texts = {"letter": json.dumps(stored)}
    assert build_input((letter, enclosure), texts, {}) == {"letter": stored}
