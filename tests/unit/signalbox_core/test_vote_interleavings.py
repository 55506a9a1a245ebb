"""Every interleaving of three voters, timer, cancel, withdrawal and restart to depth 8, by policy."""

import sys
from collections.abc import Iterator
from typing import Final

import msgspec
import pytest
from msgspec import Struct
from msgspec.structs import replace
from temporalio.exceptions import ApplicationError

from signalbox_core.pipeline import Policy, Quorum
from signalbox_core.pipeline.contract.messages import Decision
from signalbox_core.pipeline.workflow.approval_lifecycle import (
    CLOSED,
    OPEN,
    ApprovalInput,
    ApprovalPhase,
)
from signalbox_core.subjects import Subject
from support.votes.question_instance import (
    QUESTION,
    QuestionInstance,
    encoded_text,
    text_contract,
    text_requested,
)
from support.votes.rules import is_filled, may_vote

DEPTH: Final = 8
GROUPS: Final = {"an": ("marketing",), "lan": ("marketing", "legal"), "minh": ("legal",)}
WORDS: Final = ("yes", "no", "object")
POLICIES: Final = {
    "any two": Policy(quorum=(Quorum(2),)),
    "marketing and legal": Policy(quorum=(Quorum(2, "marketing"), Quorum(1, "legal"))),
    "two of marketing, veto": Policy(quorum=(Quorum(2, group="marketing"),), veto=("legal",)),
    "named people": Policy(quorum=(Quorum(2),), people=("key:an", "key:minh")),
    "not the starter": Policy(quorum=(Quorum(1, "marketing"), Quorum(1)), exclude_starter=True),
}
STARTER: Final = Subject(subject="key:an")


SPEC: Final = text_contract(early=False)


class Course(Struct, frozen=True):
    """What the server has recorded of a run, in order, and the votes that wait for the question's record."""

    history: tuple[str, ...] = ()
    deferred: tuple[str, ...] = ()

    @property
    def is_cancelled(self) -> bool:
        return ApprovalInput.CANCEL in self.history


class Instance(QuestionInstance):
    """A workflow instance, rebuilt from a history.

    Args:
        is_edited: the live contract refuses every answer and has another policy. Replay must not care.
    """

    def __init__(self, policy: Policy, history: tuple[str, ...], *, is_edited: bool = False) -> None:
        super().__init__(
            SPEC,
            recorded=text_requested(policy=policy),
            live=text_requested(policy=Policy(people=("key:nobody",)) if is_edited else policy),
            vote=vote,
            refuses_answers=is_edited,
            starter=STARTER,
        )
        for entry in history:
            self.apply(entry)

    def latest(self) -> dict[str, str]:
        """The id of each subject's latest vote, in the order in which they were cast."""
        votes = self.asked.votes if self.asked is not None else {}
        return {subject: vote.decision.decision_id for subject, vote in votes.items()}

    def state(self) -> tuple[object, ...]:
        record = self.asked.record if self.asked is not None else None
        return self.phase, self.latest(), record, tuple(self.outcomes)


def vote(decision_id: str) -> Decision:
    """The vote of an id: `an/yes/0` is An's first vote, `yes`."""
    voter, word, _ = decision_id.split("/")
    is_objection = word == "object"
    return Decision(
        approval_id=QUESTION,
        decision_id=decision_id,
        answer=msgspec.Raw(b"null") if is_objection else encoded_text(word),
        decided_by=voter,
        decider=Subject(subject=f"key:{voter}", groups=GROUPS[voter]),
        objection=is_objection,
        note="misleading",
    )


def votes(course: Course, phase: ApprovalPhase) -> Iterator[str]:
    """Every voter's next vote, and every vote so far again."""
    # While the question is being recorded, for milliseconds, each voter votes once.
    cast = [entry for entry in (*course.history, *course.deferred) if entry.startswith("vote:")]
    if phase is not ApprovalPhase.ASKING:
        yield from sorted(set(cast))
    for voter in GROUPS:
        number = sum(entry.startswith(f"vote:{voter}/") for entry in cast)
        if not number or phase is not ApprovalPhase.ASKING:
            yield from (f"vote:{voter}/{word}/{number}" for word in WORDS)


def moves(course: Course, phase: ApprovalPhase) -> Iterator[str]:
    if phase is not ApprovalPhase.UNASKED and (not course.is_cancelled or phase in CLOSED):
        yield from votes(course, phase)
    if course.is_cancelled:
        return
    if phase is ApprovalPhase.UNASKED:
        yield "ask"
    if phase is ApprovalPhase.ASKING:
        yield "recorded"
    if phase in OPEN or phase in CLOSED:
        yield from (ApprovalInput.DEADLINE, ApprovalInput.DEADLINE_WITH_DEFAULT, ApprovalInput.WITHDRAW)
        yield ApprovalInput.CANCEL


def follow(policy: Policy, course: Course, move: str) -> tuple[Course, Instance]:
    """Make a move as the handlers do: an update is validated; during the recording it waits."""
    instance = Instance(policy, course.history)
    if not move.startswith("vote:"):
        instance.apply(move)
        after = replace(course, history=(*course.history, move))
        if instance.phase is ApprovalPhase.ASKING:
            return after, instance
        for entry in course.deferred:
            after = send(instance, after, entry)
        return replace(after, deferred=()), instance
    if instance.phase is ApprovalPhase.ASKING:
        return deferred(instance, course, move), instance
    return send(instance, course, move), instance


def deferred(instance: Instance, course: Course, move: str) -> Course:
    try:
        instance.registry.validate(vote(move.removeprefix("vote:")))
    except ApplicationError:
        return course
    return replace(course, deferred=(*course.deferred, move))


def send(instance: Instance, course: Course, entry: str) -> Course:
    """Vote now; a vote that is refused leaves nothing in the history."""
    try:
        instance.registry.validate(vote(entry.removeprefix("vote:")))
    except ApplicationError:
        return course
    instance.apply(entry)
    return replace(course, history=(*course.history, entry))


@pytest.mark.parametrize("name", POLICIES)
def test_every_interleaving_of_votes_has_one_outcome(name: str) -> None:
    policy = POLICIES[name]
    visited, frontier, transitions = {Course()}, [Course()], 0
    seen: set[object] = set()
    for _ in range(DEPTH):
        reached = []
        for course in frontier:
            before = Instance(policy, course.history)
            for move in moves(course, before.phase):
                after, instance = follow(policy, course, move)
                transitions += 1
                assert_invariants(policy, before, after, instance)
                # Votes that were replaced are followed once for each state that they lead to.
                state = shape(after, instance)
                if state not in seen:
                    seen.add(state)
                    assert_replay(policy, after, instance)
                    visited.add(after)
                    reached.append(after)
        frontier = reached

    sys.stdout.write(f"{name}: {len(visited)} states, {transitions} transitions to depth {DEPTH}\n")
    assert len(visited) > 100


def shape(course: Course, instance: Instance) -> tuple[object, ...]:
    """What a run's future depends on: the outcome, and each voter's latest vote in order."""
    latest = tuple(item.rpartition("/")[0] for item in instance.latest().values())
    has_changed = len(course.history) - len(latest) > len({"ask", "recorded"} & set(course.history))
    deferred_votes = tuple(entry.rpartition("/")[0] for entry in course.deferred)
    return instance.phase, latest, deferred_votes, has_changed, course.is_cancelled


def assert_invariants(policy: Policy, before: Instance, after: Course, instance: Instance) -> None:
    # One outcome, which nothing changes, whether another vote or the end of the run.
    assert len(instance.outcomes) <= 1
    if before.phase in CLOSED:
        assert instance.state() == before.state()
    # No vote is lost or counted twice: the history's votes, replayed by the rules alone, give the outcome.
    latest, outcome = expected(policy, after.history)
    assert instance.latest() == latest
    if outcome is not None:
        assert instance.phase is outcome
    asked = instance.asked
    record = asked.record if asked is not None else None
    assert (record is not None) == (instance.phase is ApprovalPhase.DECIDED)
    if record is not None:
        assert record.votes
        subjects = [item.subject.subject for item in record.votes]
        assert len(set(subjects)) == len(subjects) == policy.needed
        assert {item.decision_id for item in record.votes} <= set(latest.values())


def assert_replay(policy: Policy, after: Course, instance: Instance) -> None:
    # A restart on code and a policy that have changed since rebuilds the same run from the history.
    assert Instance(policy, after.history, is_edited=True).state() == instance.state()


def expected(policy: Policy, history: tuple[str, ...]) -> tuple[dict[str, str], ApprovalPhase | None]:
    """The latest votes and the outcome, by the rules written down a second time."""
    latest: dict[str, str] = {}
    used: set[str] = set()
    for entry in history:
        if entry.startswith("vote:") and (decision_id := entry.removeprefix("vote:")) not in used:
            used.add(decision_id)
            voter, word, _ = decision_id.split("/")
            assert may_vote(policy, GROUPS, voter, word, starter="an")
            latest.pop(f"key:{voter}", None)
            latest[f"key:{voter}"] = decision_id
            if word == "object" and set(policy.veto) & set(GROUPS[voter]):
                return latest, ApprovalPhase.VETOED
            same = [item.partition("/")[0] for item in latest.values() if f"/{word}/" in item]
            if word != "object" and is_filled(policy, GROUPS, same):
                return latest, ApprovalPhase.DECIDED
        elif entry not in ("ask", "recorded") and not entry.startswith("vote:"):
            return latest, None
    return latest, None
