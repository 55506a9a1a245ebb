"""Asking a person at a terminal."""

from collections.abc import Iterable

import msgspec
import pytest
from msgspec import Struct

from signalbox_client.models import Approval
from signalbox_client.prompts import Picture, ask_answer, choose_first, parse_answer, picture_of, variants_of
from signalbox_core.errors import InvalidInput
from signalbox_core.pipeline.spec import json_schema


class Decision(Struct):
    variant: str
    action: str
    headline: str | None = None


class Decisions(Struct):
    decisions: tuple[Decision, ...]


class YesNo(Struct):
    approved: bool
    count: int
    note: str | None = None


def approval(answer: type[Struct], options: object) -> Approval:
    return msgspec.convert(
        {
            "approval_id": "variants",
            "name": "variants",
            "title": "Which?",
            "status": "pending",
            "requested_at": "2026-01-02T03:04:05Z",
            "answer_schema": msgspec.Raw(msgspec.json.encode(json_schema(answer))),
            "options": msgspec.Raw(msgspec.json.encode(options)),
        },
        Approval,
    )


class Terminal:
    """A person who types these lines."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self.told: list[str] = []

    async def ask(self, prompt: str) -> str:
        self.told.append(prompt)
        return next(self._lines)

    def tell(self, text: str) -> None:
        self.told.append(text)


ADS = [
    {"variant": "v1", "headline": "One", "body": "First", "cta": "Buy"},
    {"variant": "v2", "headline": "Two"},
    {"variant": "v3"},
]


async def test_each_variant_is_approved_edited_or_rejected() -> None:
    terminal = Terminal(["a", "e", "Better", "", "Now", "r", "too loud"])
    answer = await ask_answer(approval(Decisions, ADS), terminal.ask, terminal.tell)
    assert answer == {
        "decisions": [
            {"variant": "v1", "action": "approve"},
            {"variant": "v2", "action": "edit", "headline": "Better", "cta": "Now"},
            {"variant": "v3", "action": "reject", "reason": "too loud"},
        ]
    }


async def test_another_letter_is_asked_again() -> None:
    terminal = Terminal(["x", "", "approve"])
    answer = await ask_answer(approval(Decisions, ADS[:1]), terminal.ask, terminal.tell)
    assert answer == {"decisions": [{"variant": "v1", "action": "approve"}]}
    assert terminal.told.count("  type a, e or r") == 2


async def test_a_question_without_variants_is_asked_field_by_field() -> None:
    terminal = Terminal(["yes", "many", "2", ""])
    answer = await ask_answer(approval(YesNo, None), terminal.ask, terminal.tell)
    assert answer == {"approved": True, "count": 2}


def test_what_is_shown_comes_from_the_options() -> None:
    assert [variant.headline for variant in variants_of(approval(Decisions, ADS))] == ["One", "Two", ""]
    assert variants_of(approval(Decisions, {"not": "a list"})) == ()
    assert variants_of(approval(YesNo, ADS)) == ()


def test_the_first_are_approved_and_the_rest_rejected_with_the_reason() -> None:
    answer = choose_first(variants_of(approval(Decisions, ADS)), approve=2, reason="enough")
    assert answer == {
        "decisions": [
            {"variant": "v1", "action": "approve"},
            {"variant": "v2", "action": "approve"},
            {"variant": "v3", "action": "reject", "reason": "enough"},
        ]
    }


@pytest.mark.parametrize(
    ("text", "says"), [("{", "--answer is not JSON"), ("[1]", "--answer must be a JSON object")]
)
def test_an_answer_that_is_no_object_is_refused(text: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        parse_answer(text)


@pytest.mark.parametrize(
    ("evidence", "picture"),
    [
        pytest.param({"picture": "data:image/svg+xml;base64,PHN2Zy8+"}, Picture("svg", b"<svg/>"), id="svg"),
        pytest.param({"picture": "data:image/png;base64,AAAA"}, Picture("png", bytes(3)), id="png"),
        pytest.param({"picture": "data:text/html;base64,PHN2Zy8+"}, None, id="a page"),
        pytest.param({"picture": "https://example.com/x.svg"}, None, id="an address"),
        pytest.param({"picture": 7}, None, id="no text"),
        pytest.param({}, None, id="none"),
        pytest.param(["a", "list"], None, id="a list"),
        pytest.param(None, None, id="no evidence"),
    ],
)
def test_a_picture_that_came_with_the_question_is_found(evidence: object, picture: Picture | None) -> None:
    asked = msgspec.structs.replace(
        approval(YesNo, None), evidence=msgspec.Raw(msgspec.json.encode(evidence))
    )
    assert picture_of(asked) == picture
