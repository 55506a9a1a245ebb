"""The life cycle of an approval: every cell of the table, and the registry follows it."""

import sys
from datetime import UTC, datetime

import msgspec
import pytest
from msgspec import UNSET, Struct
from msgspec.structs import replace
from temporalio.exceptions import ApplicationError

from signalbox_core.events.approval_data import ApprovalRequested
from signalbox_core.pipeline import Approval, PipelineSpec, Policy, Quorum, Step
from signalbox_core.pipeline.contract.messages import Assignment, Decision
from signalbox_core.pipeline.workflow.approval_lifecycle import (
    CLOSED,
    TABLE,
    ApprovalEffect,
    ApprovalInput,
    ApprovalPhase,
)
from signalbox_core.pipeline.workflow.approvals import ApprovalRegistry
from signalbox_core.pipeline.workflow.asked_question import AskedQuestion
from signalbox_core.pipeline.workflow.ballot.assignment import apply_assignment
from signalbox_core.subjects import Subject

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DEFAULT = Policy()


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
    ApprovalEffect.REFUSE_UNASKED: "unknown_approval",
    ApprovalEffect.REFUSE_VETOED: "vetoed",
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
    ApprovalPhase.CARRIED: ApprovalInput.CARRY,
}
POSSIBLE = [cell for cell, found in TABLE.items() if found.effect is not ApprovalEffect.IMPOSSIBLE]


TWO_PEOPLE = Policy(quorum=(Quorum(2),), veto=("legal",))


def decision(number: int, *, objection: bool = False) -> Decision:
    """A decision of one of three members of the veto group."""
    return Decision(
        approval_id="word",
        decision_id=f"d{number}",
        answer=msgspec.Raw(b"null" if objection else b'{"word":"yes"}'),
        decided_by="lan",
        decider=Subject(subject=f"key:{number}", groups=("legal",)),
        objection=objection,
        note="misleading" if objection else None,
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


def requested(policy: Policy) -> ApprovalRequested:
    return replace(REQUESTED, policy=UNSET if policy.is_default else policy)


def ask(registry: ApprovalRegistry, policy: Policy = DEFAULT) -> None:
    registry.open("word", AskedQuestion(approval=WORD, requested=requested(policy)))


def decide(registry: ApprovalRegistry, number: int, *, objection: bool = False) -> None:
    registry.validate(decision(number, objection=objection))
    registry.accept(decision(number, objection=objection), NOW)


def claim() -> Assignment:
    by = Subject(subject="key:4")
    return Assignment(approval_id="word", request_id="c1", action="claim", by=by)


def assign(registry: ApprovalRegistry) -> None:
    registry.validate_assignment(claim(), NOW)
    apply_assignment(registry.get("word"), claim(), NOW)


def in_phase(
    phase: ApprovalPhase, policy: Policy, *, with_early: bool = False, with_vote: bool = False
) -> ApprovalRegistry:
    registry = ApprovalRegistry(SPEC)
    if phase is ApprovalPhase.EARLY or with_early:
        decide(registry, 1)
    if phase not in (ApprovalPhase.UNASKED, ApprovalPhase.EARLY):
        ask(registry, policy)
    if phase not in (ApprovalPhase.UNASKED, ApprovalPhase.EARLY, ApprovalPhase.ASKING):
        registry.confirm(requested(policy), NOW, accepts_early=False)
    if with_vote or phase is ApprovalPhase.DECIDED:
        decide(registry, 1)
    if phase is ApprovalPhase.DECIDED and not policy.is_default:
        decide(registry, 3)
    elif phase is ApprovalPhase.VETOED:
        decide(registry, 3, objection=True)
    elif phase in CLOSING:
        registry.close("word", CLOSING[phase])
    return registry


def apply(registry: ApprovalRegistry, given: ApprovalInput) -> None:
    if given is ApprovalInput.ASK:
        ask(registry)
    elif given is ApprovalInput.ASSIGN:
        assign(registry)
    elif given in (ApprovalInput.DECIDE, ApprovalInput.REPEAT):
        decide(registry, 1)
    elif given in (ApprovalInput.OTHER, ApprovalInput.VOTE):
        decide(registry, 2)
    elif given is ApprovalInput.VETO:
        decide(registry, 2, objection=True)
    elif given in (ApprovalInput.RECORDED, ApprovalInput.RECORDED_EARLY):
        registry.confirm(REQUESTED, NOW, accepts_early=given is ApprovalInput.RECORDED_EARLY)
    else:
        registry.close("word", given)


def test_the_table_has_a_cell_for_every_phase_and_input() -> None:
    assert len(TABLE) == len(ApprovalPhase) * len(ApprovalInput)
    quiet = len(TABLE) - len(POSSIBLE)
    sys.stdout.write(f"{len(POSSIBLE)} cells of the table are visited, {quiet} cannot happen\n")


@pytest.mark.parametrize(("phase", "given"), POSSIBLE, ids=lambda item: item.value)
def test_the_registry_follows_every_cell(phase: ApprovalPhase, given: ApprovalInput) -> None:
    # A vote counts only by a policy of several, and is repeated only where one was cast.
    is_repeated = given is ApprovalInput.REPEAT and phase is not ApprovalPhase.EARLY
    needs_policy = is_repeated or given in (ApprovalInput.VOTE, ApprovalInput.VETO)
    policy = TWO_PEOPLE if needs_policy or phase is ApprovalPhase.VETOED else DEFAULT
    registry = in_phase(
        phase, policy, with_early=given is ApprovalInput.RECORDED_EARLY, with_vote=is_repeated
    )
    cell = TABLE[phase, given]
    assert registry.phase("word") is phase

    if cell.effect in REFUSED:
        with pytest.raises(ApplicationError) as raised:
            apply(registry, given)
        assert raised.value.type == REFUSED[cell.effect]
    elif cell.effect in (ApprovalEffect.DEFER, ApprovalEffect.DEFER_CARRIED):
        registry.validate(decision(1))
        assert registry.get("word").defers_votes
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
