"""A question that one execution of a run passes to the next one is the same question there."""

from datetime import UTC, datetime

import msgspec
import pytest
from msgspec.structs import replace
from temporalio.exceptions import ApplicationError

from signalbox_core.events.policy import Policy, Quorum
from signalbox_core.events.snapshot import Snapshot
from signalbox_core.pipeline.contract.messages import Assignment, Decision
from signalbox_core.pipeline.workflow.approval_lifecycle import ApprovalInput, ApprovalPhase
from signalbox_core.pipeline.workflow.approvals import ApprovalRegistry
from signalbox_core.pipeline.workflow.asked_question import AskedQuestion
from signalbox_core.pipeline.workflow.ballot.assignment import apply_assignment
from signalbox_core.pipeline.workflow.ballot.carried import restored_questions
from signalbox_core.pipeline.workflow.ballot.continuation import end_resumption
from signalbox_core.pipeline.workflow.journal import CarriedState
from signalbox_core.subjects import Subject
from support.votes.question_instance import QUESTION, encoded_text, text_contract, text_requested

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SPEC = text_contract(early=False)
TWO_PEOPLE = Policy(quorum=(Quorum(2),), veto=("legal",))


def vote(voter: str, *, objection: bool = False) -> Decision:
    return Decision(
        approval_id=QUESTION,
        decision_id=voter,
        answer=msgspec.Raw(b"null") if objection else encoded_text("yes"),
        decided_by=voter,
        decider=Subject(subject=f"key:{voter}", groups=("legal",)),
        objection=objection,
        note="misleading" if objection else None,
    )


def cast(registry: ApprovalRegistry, given: Decision) -> None:
    registry.validate(given)
    registry.accept(given, NOW)


@pytest.fixture
def registry() -> ApprovalRegistry:
    registry = ApprovalRegistry(SPEC)
    requested = text_requested(policy=TWO_PEOPLE)
    registry.open(QUESTION, AskedQuestion(approval=SPEC.approvals[0], requested=requested))
    registry.confirm(requested, NOW, accepts_early=False)
    registry.get(QUESTION).carries_over = True
    return registry


def next_execution(registry: ApprovalRegistry) -> ApprovalRegistry:
    """The registry of the next execution, which gets the questions as JSON."""
    state = CarriedState(
        snapshot=Snapshot(run_id="r", tenant="acme"),
        asked=tuple(registry.counts.items()),
        questions=registry.carry(),
    )
    decoded = msgspec.json.decode(msgspec.json.encode(state), type=CarriedState)
    restored = ApprovalRegistry(SPEC)
    questions = restored_questions(decoded.questions, SPEC, run=decoded.snapshot, starter=None)
    restored.restore(decoded, questions)
    return restored


def test_votes_of_both_executions_count_together(registry: ApprovalRegistry) -> None:
    cast(registry, vote("an"))
    before = registry.get(QUESTION)

    later = next_execution(registry)
    assert later.phase(QUESTION) is ApprovalPhase.CARRIED
    later.close(QUESTION, ApprovalInput.ASK_AGAIN)
    carried = later.get(QUESTION)
    assert (carried.votes, carried.replies) == (before.votes, before.replies)
    cast(later, vote("lan"))

    assert later.phase(QUESTION) is ApprovalPhase.DECIDED
    assert later.next_id(QUESTION) == f"{QUESTION}-2"


def test_a_claim_stays(registry: ApprovalRegistry) -> None:
    by = Subject(subject="key:an", groups=("legal",))
    claim = Assignment(approval_id=QUESTION, request_id="c1", action="claim", by=by)
    apply_assignment(registry.get(QUESTION), claim, NOW)
    later = next_execution(registry)

    other = Assignment(approval_id=QUESTION, request_id="c2", action="claim", by=Subject(subject="key:lan"))
    with pytest.raises(ApplicationError) as refused:
        later.validate_assignment(other, NOW)
    assert refused.value.type == "claimed"


@pytest.mark.parametrize("objection", [False, True], ids=["decided", "vetoed"])
def test_an_outcome_stays(registry: ApprovalRegistry, *, objection: bool) -> None:
    cast(registry, vote("an"))
    cast(registry, vote("lan", objection=objection))
    before = registry.get(QUESTION)
    later = next_execution(registry)

    later.close(QUESTION, ApprovalInput.ASK_AGAIN)

    carried = later.get(QUESTION)
    assert (carried.phase, carried.record, carried.veto) == (before.phase, before.record, before.veto)
    assert carried.is_voted_out


def test_an_outcome_does_not_answer_a_question_that_is_asked_later(registry: ApprovalRegistry) -> None:
    cast(registry, vote("an"))
    cast(registry, vote("lan"))
    later = next_execution(registry)
    assert later.get(QUESTION).is_carried

    end_resumption(later)

    assert not later.get(QUESTION).is_carried
    assert later.next_id(QUESTION) == f"{QUESTION}-2"


def test_what_is_not_carried_over_is_left_out(registry: ApprovalRegistry) -> None:
    registry.get(QUESTION).carries_over = False

    assert next_execution(registry).phase(QUESTION) is ApprovalPhase.UNASKED


def test_a_question_of_an_approval_that_was_removed_can_be_withdrawn(registry: ApprovalRegistry) -> None:
    questions = restored_questions(
        registry.carry(), replace(SPEC, approvals=()), run=Snapshot(run_id="r", tenant="acme"), starter=None
    )
    later = ApprovalRegistry(SPEC)
    later.restore(CarriedState(snapshot=Snapshot(run_id="r", tenant="acme")), questions)

    later.close(QUESTION, ApprovalInput.WITHDRAW)

    assert later.phase(QUESTION) is ApprovalPhase.WITHDRAWN
