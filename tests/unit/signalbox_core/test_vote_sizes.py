"""A vote whose events would be too large is refused before it counts."""

from datetime import UTC, datetime

import msgspec
import pytest
from msgspec.structs import asdict, replace
from temporalio.exceptions import ApplicationError

from signalbox_core.events.approval_data import ApprovalDecided
from signalbox_core.pipeline.contract.messages import MAX_ANSWER_BYTES, Decision
from signalbox_core.pipeline.workflow.asked_question import AskedQuestion
from signalbox_core.pipeline.workflow.ballot.vote import apply_vote, classify
from signalbox_core.pipeline.workflow.ballot.vote_events import check_size, vote_events
from signalbox_core.pipeline.workflow.journal import MAX_DATA_BYTES
from signalbox_core.subjects import Subject
from support.votes.question_instance import QUESTION, text_contract, text_requested

NOW = datetime(2026, 1, 1, tzinfo=UTC)
VOTE = Decision(
    approval_id=QUESTION,
    decision_id="d1",
    answer=msgspec.Raw(b'"' + b"x" * (MAX_ANSWER_BYTES - 2) + b'"'),
    decided_by="lan",
    note="n" * 2_000,
    decider=Subject(subject="key:lan", name="lan"),
)


def question(proposal: object = msgspec.UNSET) -> AskedQuestion:
    proposed = proposal if proposal is msgspec.UNSET else msgspec.Raw(msgspec.json.encode(proposal))
    requested = replace(text_requested(), proposal=proposed)
    return AskedQuestion(approval=text_contract(early=False).approvals[0], requested=requested)


def decided(asked: AskedQuestion, vote: Decision) -> ApprovalDecided:
    """The event of a vote, which changes the question."""
    apply_vote(asked, vote, classify(asked, vote, NOW), NOW)
    [(_, data)] = vote_events(asked, vote)
    assert isinstance(data, ApprovalDecided)
    return data


def test_the_largest_answer_fits_into_its_event() -> None:
    check_size(question(), VOTE, NOW)
    assert len(msgspec.json.encode(decided(question(), VOTE))) <= MAX_DATA_BYTES


def test_a_vote_that_does_not_fit_is_refused_and_changes_nothing() -> None:
    asked = question()
    before = asdict(asked)
    with pytest.raises(ApplicationError, match=f"at most {MAX_DATA_BYTES} are accepted") as refused:
        check_size(asked, replace(VOTE, note="n" * 130_000), NOW)
    assert refused.value.type == "answer_too_large"
    assert asdict(asked) == before


def test_the_list_of_edited_members_is_cut_so_that_it_fits() -> None:
    count = 60_000
    asked = question({f"member {number}": 0 for number in range(count)} | {"items": [0] * count})
    vote = replace(VOTE, answer=msgspec.Raw(msgspec.json.encode({"items": [1] * count})))
    check_size(asked, vote, NOW)
    data = decided(asked, vote)
    assert data.outcome == "modified"
    assert isinstance(data.modified, tuple)
    assert data.modified[:2] == ("/items/0", "/items/1")
    assert len(msgspec.json.encode(data)) <= MAX_DATA_BYTES
