"""A pipeline whose effect was approved: a person chooses the letters to send, each with a stored file."""

from datetime import timedelta
from typing import Literal

import msgspec
from msgspec import Struct

from signalbox_core.pipeline import Approval, DomainEvent, PipelineSpec, ShownQuestion, Step

Tampering = Literal["", "unchosen", "argument", "file", "other_file", "event"]


class LettersInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`tamper`: what the workflow does differently from what was approved."""

    tamper: Tampering = ""


class Attachment(Struct, frozen=True, kw_only=True):
    key: str
    sha256: str


class Letter(Struct, frozen=True, kw_only=True):
    name: str
    text: str
    attachment: Attachment


class ChosenLetters(Struct, frozen=True, kw_only=True):
    names: tuple[str, ...]


class LettersResult(Struct, frozen=True, kw_only=True):
    sent: tuple[str, ...] = ()


def chosen_letters(answer: ChosenLetters, shown: ShownQuestion) -> list[Letter]:
    letters = msgspec.json.decode(shown.options, type=tuple[Letter, ...])
    return [letter for letter in letters if letter.name in answer.names]


SEND = Approval(
    name="send",
    title="Which letters should be sent?",
    answer=ChosenLetters,
    deadline=timedelta(days=3),
    approves=chosen_letters,
)
SPEC = PipelineSpec(
    name="letters",
    title="Letters",
    input=LettersInput,
    result=LettersResult,
    workflow="support.letters.workflow:Letters",
    steps=(Step("write", "Write"), Step("send", "Send")),
    approvals=(SEND,),
    events=(DomainEvent("letter.sent", Letter, "A letter was sent."),),
)
