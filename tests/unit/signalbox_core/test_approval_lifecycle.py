"""The life cycle of an approval: every cell of the table, and the registry follows it."""

from datetime import UTC, datetime

import msgspec
import pytest
from msgspec import Struct
from temporalio.exceptions import ApplicationError

from signalbox_core.events.approval_data import ApprovalRequested
from signalbox_core.pipeline import Approval, PipelineSpec, Step
from signalbox_core.pipeline.contract.messages import Decision
from signalbox_core.pipeline.workflow.approval_lifecycle import (
    CLOSED,
    TABLE,
    ApprovalEffect,
    ApprovalInput,
    ApprovalPhase,
)
from signalbox_core.pipeline.workflow.approvals import ApprovalRegistry
from signalbox_core.pipeline.workflow.asked_question import AskedQuestion

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Word(Struct, frozen=True, kw_only=True):
    word: str


WORD = Approval(name="word", title="Word", answer=Word, early=True)
SPEC = PipelineSpec(
    name="words",
    title="Words",
    input=Word,
    result=Word,
    workflow="words.workflow:Words",
    steps=(Step("a", "A"),),
    approvals=(WORD,),
)
REFUSED = {
    ApprovalEffect.REFUSE_DECIDED: "already_decided",
    ApprovalEffect.REFUSE_EXPIRED: "approval_expired",
    ApprovalEffect.REFUSE_WITHDRAWN: "withdrawn",
    ApprovalEffect.REFUSE_ENDED: "conflict",
    ApprovalEffect.BUG: "pipeline_bug",
}
CLOSING = {
    ApprovalPhase.EXPIRED: ApprovalInput.DEADLINE,
    ApprovalPhase.DEFAULTED: ApprovalInput.DEADLINE_WITH_DEFAULT,
    ApprovalPhase.WITHDRAWN: ApprovalInput.WITHDRAW,
    ApprovalPhase.CANCELLED: ApprovalInput.CANCEL,
}
POSSIBLE = [cell for cell, found in TABLE.items() if found.effect is not ApprovalEffect.IMPOSSIBLE]


def decision(number: int) -> Decision:
    return Decision(
        approval_id="word",
        decision_id=f"d{number}",
        answer=msgspec.Raw(b'{"word":"yes"}'),
        decided_by="lan",
    )


REQUESTED = ApprovalRequested(
    approval_id="word",
    name="word",
    title="Word",
    answer_schema=msgspec.Raw(b"{}"),
    options=msgspec.Raw(b"null"),
    evidence=msgspec.Raw(b"null"),
    digest="x",
)


def ask(registry: ApprovalRegistry) -> None:
    registry.open("word", AskedQuestion(approval=WORD, requested=REQUESTED))


def decide(registry: ApprovalRegistry, number: int) -> None:
    registry.validate(decision(number))
    registry.accept(decision(number), NOW)


def in_phase(phase: ApprovalPhase, *, with_early: bool = False) -> ApprovalRegistry:
    registry = ApprovalRegistry(SPEC)
    if phase is ApprovalPhase.EARLY or with_early:
        decide(registry, 1)
    if phase not in (ApprovalPhase.UNASKED, ApprovalPhase.EARLY):
        ask(registry)
    if phase not in (ApprovalPhase.UNASKED, ApprovalPhase.EARLY, ApprovalPhase.ASKING):
        registry.confirm(REQUESTED, NOW, accepts_early=False)
    if phase is ApprovalPhase.DECIDED:
        decide(registry, 1)
    elif phase in CLOSING:
        registry.close("word", CLOSING[phase])
    return registry


def apply(registry: ApprovalRegistry, given: ApprovalInput) -> None:
    if given is ApprovalInput.ASK:
        ask(registry)
    elif given in (ApprovalInput.DECIDE, ApprovalInput.REPEAT):
        decide(registry, 1)
    elif given is ApprovalInput.OTHER:
        decide(registry, 2)
    elif given in (ApprovalInput.RECORDED, ApprovalInput.RECORDED_EARLY):
        registry.confirm(REQUESTED, NOW, accepts_early=given is ApprovalInput.RECORDED_EARLY)
    else:
        registry.close("word", given)


def test_the_table_has_a_cell_for_every_phase_and_input() -> None:
    assert len(TABLE) == len(ApprovalPhase) * len(ApprovalInput)


@pytest.mark.parametrize(("phase", "given"), POSSIBLE, ids=lambda item: item.value)
def test_the_registry_follows_every_cell(phase: ApprovalPhase, given: ApprovalInput) -> None:
    registry = in_phase(phase, with_early=given is ApprovalInput.RECORDED_EARLY)
    cell = TABLE[phase, given]
    assert registry.phase("word") is phase

    if cell.effect in REFUSED:
        with pytest.raises(ApplicationError) as raised:
            apply(registry, given)
        assert raised.value.type == REFUSED[cell.effect]
    elif cell.effect is ApprovalEffect.DEFER:
        registry.validate(decision(1))
        assert registry.get("word").awaits_record
    else:
        apply(registry, given)

    assert registry.phase("word") is cell.phase


@pytest.mark.parametrize("phase", sorted(CLOSED))
def test_an_outcome_is_final(phase: ApprovalPhase) -> None:
    assert {TABLE[phase, given].phase for given in ApprovalInput} == {phase}


def test_every_phase_can_be_reached() -> None:
    reached, before = {ApprovalPhase.UNASKED}, set[ApprovalPhase]()
    while reached != before:
        before = set(reached)
        reached |= {TABLE[phase, given].phase for phase, given in POSSIBLE if phase in before}

    assert reached == set(ApprovalPhase)
