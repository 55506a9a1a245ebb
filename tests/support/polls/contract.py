"""A pipeline that asks many questions of different rules; the answers come in any order."""

from datetime import timedelta
from typing import Final

from msgspec import Struct

from signalbox_core.errors import InvalidInput
from signalbox_core.pipeline import Approval, PipelineSpec, Policy, Quorum, Step

EARLY: Final = 8
"""How many questions may be answered before they are asked, and how many are asked as late but may not."""


class Poll(Struct, frozen=True, kw_only=True):
    """One question.

    Attributes:
        approval: its approval in the contract.
        asked_after_s: how long the run waits before it asks.
        has_default: whether the run goes on with an answer when the deadline passes.
    """

    approval_id: str
    approval: str
    deadline_s: float
    asked_after_s: float = 0
    has_default: bool = False


class PollsInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    polls: tuple[Poll, ...] = ()


class PollsResult(Struct, frozen=True, kw_only=True):
    """What `ask` returned or raised, by approval id; `bug` for a question that was asked twice."""

    outcomes: dict[str, str]
    asked_twice: dict[str, str]


class PollAnswer(Struct, frozen=True, kw_only=True):
    word: str


class EditedPollAnswer(Struct, frozen=True, kw_only=True):
    """The answer, after an edit."""

    word: str
    comment: str | None = None


def check_answer(answer: PollAnswer) -> None:
    if answer.word == "taboo":
        raise InvalidInput("choose another word", field="word")


def check_edited(answer: EditedPollAnswer) -> None:
    if answer.word in ("taboo", "no"):
        raise InvalidInput("choose another word", field="word")


PAIR: Final = Policy(quorum=(Quorum(2),), veto=("legal",))
GROUPS: Final = Policy(quorum=(Quorum(1, "marketing"), Quorum(1, "legal")), exclude_starter=True)


def _approvals(answer: type[Struct], title: str) -> tuple[Approval, ...]:
    open_for = timedelta(days=30)
    early = [
        Approval(name=f"early_{number}", title=title, answer=answer, deadline=open_for, early=True)
        for number in range(EARLY)
    ]
    late = [
        Approval(name=f"late_{number}", title=title, answer=answer, deadline=open_for)
        for number in range(EARLY)
    ]
    return (
        Approval(name="single", title=title, answer=answer, deadline=open_for),
        Approval(name="pair", title=title, answer=answer, deadline=open_for, policy=PAIR),
        Approval(name="groups", title=title, answer=answer, deadline=open_for, policy=GROUPS),
        *early,
        *late,
    )


SPEC: Final = PipelineSpec(
    name="polls",
    title="Polls",
    input=PollsInput,
    result=PollsResult,
    workflow="support.polls.workflow:Polls",
    activities="support.polls.workflow:none",
    steps=(Step("ask", "Ask"),),
    approvals=_approvals(PollAnswer, "Which word?"),
)
EDITED: Final = PipelineSpec(
    name="polls",
    title="Polls, edited",
    input=PollsInput,
    result=PollsResult,
    workflow="support.polls.workflow:EditedPolls",
    activities="support.polls.workflow:none",
    steps=(Step("ask", "Ask"),),
    approvals=_approvals(EditedPollAnswer, "Which word should it be?"),
)
"""A later version of the contract: other titles, a further field and a stricter check."""
