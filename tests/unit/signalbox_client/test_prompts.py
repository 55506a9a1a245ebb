"""Prompting for an answer at a terminal."""

from collections.abc import Iterable

import msgspec
import pytest
from msgspec import Struct

from signalbox_client.commands.prompts import (
    EvidencePicture,
    choose_first,
    parse_answer,
    picture_of,
    prompt_for_answer,
    variants_of,
)
from signalbox_client.models import Approval
from signalbox_core.errors import InvalidInput
from signalbox_core.pipeline.spec import json_schema


class VariantDecision(Struct):
    variant: str
    action: str
    headline: str | None = None


class VariantDecisions(Struct):
    decisions: tuple[VariantDecision, ...]


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


class TypedLines:
    """A user who types these lines."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self.shown: list[str] = []

    async def prompt(self, prompt: str) -> str:
        self.shown.append(prompt)
        return next(self._lines)

    def show(self, text: str) -> None:
        self.shown.append(text)


ADS = [
    {"variant": "v1", "headline": "One", "body": "First", "cta": "Buy"},
    {"variant": "v2", "headline": "Two"},
    {"variant": "v3"},
]


async def test_each_variant_is_approved_edited_or_rejected() -> None:
    terminal = TypedLines(["a", "e", "Better", "", "Now", "r", "too loud"])
    answer = await prompt_for_answer(approval(VariantDecisions, ADS), terminal.prompt, terminal.show)
    assert answer == {
        "decisions": [
            {"variant": "v1", "action": "approve"},
            {"variant": "v2", "action": "edit", "headline": "Better", "cta": "Now"},
            {"variant": "v3", "action": "reject", "reason": "too loud"},
        ]
    }


async def test_an_unknown_letter_prompts_again() -> None:
    terminal = TypedLines(["x", "", "approve"])
    answer = await prompt_for_answer(approval(VariantDecisions, ADS[:1]), terminal.prompt, terminal.show)
    assert answer == {"decisions": [{"variant": "v1", "action": "approve"}]}
    assert terminal.shown.count("  Type a, e or r") == 2


async def test_a_question_without_variants_prompts_for_each_field() -> None:
    terminal = TypedLines(["yes", "many", "2", ""])
    answer = await prompt_for_answer(approval(YesNo, None), terminal.prompt, terminal.show)
    assert answer == {"approved": True, "count": 2}


def test_variants_come_from_the_options() -> None:
    assert [variant.headline for variant in variants_of(approval(VariantDecisions, ADS))] == [
        "One",
        "Two",
        "",
    ]
    assert variants_of(approval(VariantDecisions, {"not": "a list"})) == ()
    assert variants_of(approval(YesNo, ADS)) == ()


def test_choose_first_approves_the_first_and_rejects_the_rest() -> None:
    answer = choose_first(variants_of(approval(VariantDecisions, ADS)), approve=2, reason="enough")
    assert answer == {
        "decisions": [
            {"variant": "v1", "action": "approve"},
            {"variant": "v2", "action": "approve"},
            {"variant": "v3", "action": "reject", "reason": "enough"},
        ]
    }


@pytest.mark.parametrize(
    ("text", "message"), [("{", "--answer is not JSON"), ("[1]", "--answer must be a JSON object")]
)
def test_an_answer_that_is_not_an_object_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        parse_answer(text)


@pytest.mark.parametrize(
    ("evidence", "picture"),
    [
        pytest.param(
            {"picture": "data:image/svg+xml;base64,PHN2Zy8+"}, EvidencePicture("svg", b"<svg/>"), id="svg"
        ),
        pytest.param({"picture": "data:image/png;base64,AAAA"}, EvidencePicture("png", bytes(3)), id="png"),
        pytest.param({"picture": "data:text/html;base64,PHN2Zy8+"}, None, id="a page"),
        pytest.param({"picture": "https://example.com/x.svg"}, None, id="a URL"),
        pytest.param({"picture": 7}, None, id="not a string"),
        pytest.param({}, None, id="none"),
        pytest.param(["a", "list"], None, id="a list"),
        pytest.param(None, None, id="no evidence"),
    ],
)
def test_a_picture_in_the_evidence_is_found(evidence: object, picture: EvidencePicture | None) -> None:
    question = msgspec.structs.replace(
        approval(YesNo, None), evidence=msgspec.Raw(msgspec.json.encode(evidence))
    )
    assert picture_of(question) == picture
