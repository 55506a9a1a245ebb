"""Whether a policy lets a subject answer: what lists say and what a run checks is the same."""

from itertools import product

import pytest
from temporalio.exceptions import ApplicationError

from signalbox_core.events.policy import Policy, Quorum, may_answer
from signalbox_core.pipeline.workflow.ballot.tally import check_voter
from signalbox_core.subjects import Subject

AN, LAN = Subject(subject="key:an", groups=("marketing",)), Subject(subject="key:lan", groups=("legal",))
QUORUMS = (
    (Quorum(),),
    (Quorum(2),),
    (Quorum(1, "legal"),),
    (Quorum(1, "legal"), Quorum(1)),
    (Quorum(1, "ops"),),
)
PEOPLE = ((), ("key:an",), ("key:an", "key:lan"))


def is_allowed(policy: Policy, starter: Subject | None, voter: Subject) -> bool:
    try:
        check_voter(policy, starter, voter)
    except ApplicationError:
        return False
    return True


@pytest.mark.parametrize("quorum", QUORUMS, ids=str)
@pytest.mark.parametrize("people", PEOPLE, ids=str)
def test_lists_and_runs_agree_on_who_may_answer(quorum: tuple[Quorum, ...], people: tuple[str, ...]) -> None:
    for exclude_starter, veto in product((False, True), ((), ("marketing",))):
        policy = Policy(quorum=quorum, people=people, exclude_starter=exclude_starter, veto=veto)
        for starter, voter in product((None, AN, LAN), (AN, LAN)):
            expected = is_allowed(policy, starter, voter)
            assert may_answer(policy, starter.subject if starter else None, voter) is expected


def test_without_a_policy_anybody_may_answer() -> None:
    assert may_answer(None, None, AN)
