"""Every interleaving of voters, timer, cancel, withdrawal and restart to depth 8 has one outcome."""

import sys
from collections.abc import Iterator
from typing import Final

import pytest
from msgspec import Struct
from msgspec.structs import replace
from temporalio.exceptions import ApplicationError

from signalbox_core.pipeline.contract.messages import Decision
from signalbox_core.pipeline.workflow.approval_lifecycle import (
    CLOSED,
    OPEN,
    ApprovalInput,
    ApprovalPhase,
)
from support.votes.question_instance import (
    QUESTION,
    QuestionInstance,
    encoded_text,
    text_contract,
    text_requested,
)

DEPTH: Final = 8
VOTERS: Final = ("an", "lan", "minh")


SPEC: Final = text_contract(early=True)


class World(Struct, frozen=True):
    """A run as its clients and the server see it.

    Attributes:
        history: what the server has recorded, in order; a refused vote leaves nothing.
        replies: per voter the decision on record, or the code of the refusal.
        deferred: votes in the history that wait until the question is recorded.
        ended: the run was cancelled.
    """

    history: tuple[str, ...] = ()
    replies: tuple[tuple[str, str], ...] = ()
    deferred: tuple[str, ...] = ()
    ended: bool = False

    def with_reply(self, voter: str, reply: str, *entries: str) -> "World":
        replies = tuple(sorted({**dict(self.replies), voter: reply}.items()))
        return replace(self, history=(*self.history, *entries), replies=replies)


class Instance(QuestionInstance):
    """A workflow instance, rebuilt from a history.

    Args:
        is_edited: live code refuses every answer, and the question has another digest. Replay must not care.
    """

    def __init__(self, history: tuple[str, ...], *, is_edited: bool) -> None:
        super().__init__(
            SPEC,
            recorded=text_requested(),
            live=text_requested(digest="y" if is_edited else "x"),
            vote=vote,
            refuses_answers=is_edited,
        )
        for entry in history:
            self.apply(entry)

    def apply(self, entry: str) -> str | None:
        """Apply what the history holds; a vote returns the id of the decision on record, or its refusal."""
        try:
            return super().apply(entry)
        except ApplicationError as refusal:
            return str(refusal.type)

    @property
    def record_id(self) -> str | None:
        return self.asked.record.decision_id if self.asked is not None and self.asked.record else None

    @property
    def held_ids(self) -> tuple[str, ...]:
        return tuple(item.record.decision_id for item in self.registry.early_decisions)

    def state(self) -> tuple[object, ...]:
        return self.phase, self.record_id, self.held_ids, tuple(self.outcomes)


def vote(voter: str) -> Decision:
    return Decision(approval_id=QUESTION, decision_id=voter, answer=encoded_text(voter), decided_by=voter)


def moves(world: World, phase: ApprovalPhase, deadline: ApprovalInput) -> Iterator[str]:
    # The voters are alike, so they may be numbered by their first vote.
    voted = len({*dict(world.replies), *world.deferred})
    votes = (f"vote:{voter}" for voter in VOTERS[: voted + 1] if voter not in world.deferred)
    if not world.ended or phase in CLOSED:
        yield from votes
    if world.ended:
        return
    if phase in (ApprovalPhase.UNASKED, ApprovalPhase.EARLY):
        yield "ask"
    if phase is ApprovalPhase.ASKING:
        yield "recorded:refused"
        yield "recorded:accepted"
    if phase in OPEN or phase in CLOSED:
        yield deadline.value
        yield ApprovalInput.WITHDRAW.value
    yield ApprovalInput.CANCEL.value


def follow(world: World, move: str, instance: Instance) -> World | None:
    """Make the move; None when it cannot happen here."""
    kind, _, detail = move.partition(":")
    if kind == "vote":
        return cast_vote(world, detail, instance)
    asked = instance.asked
    if move == "recorded:accepted" and (asked is None or asked.early is None):
        return None
    instance.apply(move)
    after = replace(world, history=(*world.history, move), ended=kind == ApprovalInput.CANCEL)
    if instance.phase is not ApprovalPhase.ASKING:
        for voter in world.deferred:
            after = after.with_reply(voter, str(instance.apply(f"vote:{voter}")), f"vote:{voter}")
        after = replace(after, deferred=())
    return after


def cast_vote(world: World, voter: str, instance: Instance) -> World:
    try:
        instance.registry.validate(vote(voter))
    except ApplicationError as refusal:
        return world.with_reply(voter, str(refusal.type))
    if instance.phase is ApprovalPhase.ASKING:
        return replace(world, deferred=(*world.deferred, voter))
    return world.with_reply(voter, str(instance.apply(f"vote:{voter}")), f"vote:{voter}")


@pytest.mark.parametrize("deadline", [ApprovalInput.DEADLINE, ApprovalInput.DEADLINE_WITH_DEFAULT])
def test_every_interleaving_has_one_outcome(deadline: ApprovalInput) -> None:
    visited, frontier, transitions = {World()}, [World()], 0
    phases = {ApprovalPhase.UNASKED}
    for _ in range(DEPTH):
        reached = []
        for world in frontier:
            before = Instance(world.history, is_edited=False)
            for move in moves(world, before.phase, deadline):
                instance = Instance(world.history, is_edited=False)
                after = follow(world, move, instance)
                if after is None:
                    continue
                transitions += 1
                phases.add(instance.phase)
                assert_invariants(world, before, after, instance)
                if after not in visited:
                    visited.add(after)
                    reached.append(after)
        frontier = reached

    sys.stdout.write(f"{deadline}: {len(visited)} states, {transitions} transitions to depth {DEPTH}\n")
    other = {ApprovalPhase.EXPIRED, ApprovalPhase.DEFAULTED} - phases
    # The default policy has no veto, and the run does not continue as new.
    assert set(ApprovalPhase) - phases == other | {ApprovalPhase.VETOED, ApprovalPhase.CARRIED}
    assert len(other) == 1
    assert len(visited) > 1_000


def assert_invariants(earlier: World, before: Instance, after: World, instance: Instance) -> None:
    # One outcome, which nothing changes, whether another input or the end of the run.
    assert len(instance.outcomes) <= 1
    if before.phase in CLOSED:
        assert instance.state() == before.state()
    # A restart on code that has changed since rebuilds the same run from the history.
    assert Instance(after.history, is_edited=True).state() == instance.state()
    record, held = instance.record_id, instance.held_ids
    asked_at = after.history.index("ask") if "ask" in after.history else len(after.history)
    for voter, reply in after.replies:
        if reply == voter and voter != record:
            # Accepted before the question, which refused it or closed first.
            assert voter in held or after.history.index(f"vote:{voter}") < asked_at
    for voter, _ in {(name, reply) for name, reply in after.replies if reply == "already_decided"} - set(
        earlier.replies
    ):
        assert record or held
        assert voter != record
    assert record is None or f"vote:{record}" in after.history
