"""One question for exhaustive tests: its contract, and its registry, rebuilt from a history."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import msgspec
from msgspec import UNSET, Struct

from signalbox_core.errors import InvalidInput
from signalbox_core.events.approval_data import ApprovalRequested
from signalbox_core.events.policy import Policy
from signalbox_core.pipeline import Approval, PipelineSpec, Step
from signalbox_core.pipeline.contract.messages import Decision
from signalbox_core.pipeline.workflow.approval_lifecycle import CLOSED, ApprovalInput, ApprovalPhase
from signalbox_core.pipeline.workflow.approvals import ApprovalRegistry
from signalbox_core.pipeline.workflow.asked_question import AskedQuestion
from signalbox_core.subjects import Subject

NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
QUESTION: Final = "text"


class Text(Struct, frozen=True, kw_only=True):
    text: str


def text_contract(*, early: bool) -> PipelineSpec:
    """A contract with the question, which takes a decision before it is asked if `early`."""
    return PipelineSpec(
        name="texts",
        title="Texts",
        input=Text,
        result=Text,
        workflow="texts.workflow:Texts",
        steps=(Step("a", "A"),),
        approvals=(Approval(name=QUESTION, title="Text", answer=Text, early=early),),
    )


def text_requested(*, digest: str = "x", policy: Policy | None = None) -> ApprovalRequested:
    """The question as it is recorded."""
    return ApprovalRequested(
        approval_id=QUESTION,
        name=QUESTION,
        title="Text",
        answer_schema=msgspec.Raw(b"{}"),
        options=msgspec.Raw(b"null"),
        evidence=msgspec.Raw(b"null"),
        digest=digest,
        policy=policy if policy is not None else UNSET,
    )


def encoded_text(text: str) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(Text(text=text)))


class QuestionInstance:
    """A workflow instance, rebuilt from a history of `ask`, `recorded`, `vote:…` and the ends of a question.

    Args:
        recorded: the question as the history has it.
        live: the question as live code computes it, which replay must not care about.
        vote: the decision that the text after `vote:` stands for.
        refuses_answers: live code refuses every answer, which replay must not care about either.

    Attributes:
        outcomes: each change to a closed phase.
    """

    def __init__(
        self,
        spec: PipelineSpec,
        *,
        recorded: ApprovalRequested,
        live: ApprovalRequested,
        vote: Callable[[str], Decision],
        refuses_answers: bool,
        starter: Subject | None = None,
    ) -> None:
        self.registry = ApprovalRegistry(spec)
        self.outcomes: list[ApprovalPhase] = []
        self._approval = spec.approvals[0]
        self._recorded = recorded
        self._live = live
        self._vote = vote
        self._refuses_answers = refuses_answers
        self._starter = starter

    @property
    def phase(self) -> ApprovalPhase:
        return self.registry.phase(QUESTION)

    @property
    def asked(self) -> AskedQuestion | None:
        return self.registry.find(QUESTION)

    def apply(self, entry: str) -> str | None:
        """Apply what the history holds; a vote returns the id of the decision on record.

        Raises:
            ApplicationError: the vote is refused.
        """
        before, (kind, _, detail) = self.phase, entry.partition(":")
        reply = None
        if kind == "vote":
            reply = self.registry.accept(self._vote(detail), NOW)[0].decision_id
        elif kind == "ask":
            self._ask()
        elif kind == "recorded":
            self.registry.confirm(self._recorded, NOW, accepts_early=detail == "accepted")
        else:
            self.registry.close(QUESTION, ApprovalInput(kind))
        if self.phase is not before and self.phase in CLOSED:
            self.outcomes.append(self.phase)
        return reply

    def _ask(self) -> None:
        asked = AskedQuestion(
            approval=self._approval, requested=self._live, check=self._check, starter=self._starter
        )
        self.registry.open(QUESTION, asked)

    def _check(self, _answer: object) -> None:
        if self._refuses_answers:
            raise InvalidInput("no answer is good enough")
