"""The door of a vote in its events, in the snapshot and in the ledger."""

from datetime import UTC, datetime

import msgspec
import pytest
from msgspec import UNSET, Struct
from msgspec.structs import replace

from signalbox_core.events.policy import Policy, Quorum
from signalbox_core.ledger.commitments import StoredValues
from signalbox_core.ledger.entries import LedgerEntry, build_entry
from signalbox_core.pipeline.contract.messages import Decision
from signalbox_core.pipeline.workflow.asked_question import AskedQuestion
from signalbox_core.pipeline.workflow.ballot.refused_vote import refused_vote
from signalbox_core.pipeline.workflow.ballot.vote import apply_vote, classify
from signalbox_core.pipeline.workflow.ballot.vote_events import vote_events
from signalbox_core.subjects import Subject
from support.fakes.events import make_event
from support.votes.question_instance import QUESTION, text_contract, text_requested

NOW = datetime(2026, 1, 1, tzinfo=UTC)
VOTE = Decision(
    approval_id=QUESTION,
    decision_id="d1",
    answer=msgspec.Raw(b'"yes"'),
    decided_by="lan",
    decider=Subject(subject="key:lan", groups=("legal",)),
    door="link",
)
OBJECTION = replace(VOTE, answer=msgspec.Raw(b"null"), objection=True, note="misleading")
QUORUM = Policy(quorum=(Quorum(2),))
VETO = Policy(quorum=(Quorum(2),), veto=("legal",))


def events_of(policy: Policy, vote: Decision) -> dict[str, Struct]:
    requested = text_requested() if policy.is_default else replace(text_requested(), policy=policy)
    asked = AskedQuestion(approval=text_contract(early=False).approvals[0], requested=requested)
    apply_vote(asked, vote, classify(asked, vote, NOW), NOW)
    return dict(vote_events(asked, vote))


def entry_of(name: str, data: Struct) -> LedgerEntry:
    event = make_event(name, data)
    return build_entry(
        event, StoredValues(salt="AAAAAAAAAAAAAAAAAAAAAA=="), index=0, previous="", question_digest=None
    )


@pytest.mark.parametrize(
    ("policy", "vote", "names"),
    [
        pytest.param(Policy(), VOTE, ["approval.decided"], id="decision"),
        pytest.param(QUORUM, VOTE, ["approval.voted"], id="vote"),
        pytest.param(QUORUM, OBJECTION, ["approval.voted"], id="objection"),
        pytest.param(VETO, OBJECTION, ["approval.voted", "approval.vetoed"], id="veto"),
    ],
)
def test_every_event_of_a_vote_and_its_ledger_entry_have_the_door(
    policy: Policy, vote: Decision, names: list[str]
) -> None:
    events = events_of(policy, vote)
    assert list(events) == names
    assert {entry_of(name, data).door for name, data in events.items()} == {"link"}


def test_a_refused_vote_has_the_door() -> None:
    data = refused_vote(VOTE, "vetoed")
    assert (data.door, entry_of("approval.vote_refused", data).door) == ("link", "link")
    assert refused_vote(replace(VOTE, door=None), "vetoed").door is UNSET


@pytest.mark.parametrize(("policy", "vote"), [(Policy(), VOTE), (QUORUM, VOTE), (VETO, OBJECTION)])
def test_the_event_of_a_vote_without_a_door_is_as_large_as_before(policy: Policy, vote: Decision) -> None:
    """Histories of earlier releases replay, whose commands depend on the sizes of events."""
    for data in events_of(policy, replace(vote, door=None)).values():
        assert b"door" not in msgspec.json.encode(data)
