"""What a question of the polls pipeline answers to each input: its rules, written down a second time.

The states are looked up in `approval_lifecycle.TABLE`; which cells were visited is counted.
"""

from dataclasses import dataclass, field
from typing import Final

from signalbox_core.events.policy import Policy
from signalbox_core.pipeline.workflow.approval_lifecycle import (
    CLOSED,
    TABLE,
    ApprovalEffect,
    ApprovalInput,
    ApprovalPhase,
)
from support.polls.contract import GROUPS, PAIR, Poll
from support.votes.rules import is_filled, may_vote

VOTERS: Final = {"an": ("marketing",), "lan": ("marketing", "legal"), "minh": ("legal",), "nam": ()}
STARTER: Final = "an"
CLAIM_S: Final = 900
REFUSALS: Final = {
    ApprovalEffect.REFUSE_UNASKED: "unknown_approval",
    ApprovalEffect.REFUSE_DECIDED: "already_decided",
    ApprovalEffect.REFUSE_VETOED: "vetoed",
    ApprovalEffect.REFUSE_EXPIRED: "approval_expired",
    ApprovalEffect.REFUSE_WITHDRAWN: "withdrawn",
    ApprovalEffect.REFUSE_ENDED: "conflict",
}
Cell = tuple[ApprovalPhase, ApprovalInput]


@dataclass
class ExpectedPoll:
    """The state of one question, and its trace for the message of a failure.

    Attributes:
        votes: the decision id of each voter's latest vote, in order.
        words: of each decision id on record; `object` for an objection.
        replies: what was answered to each decision id on record.
        claim: who has claimed the question, and until which second.
        counted: how many `approval.voted` there are.
        refused: ids and codes of the votes that were refused after their senders had a reply.
        cells: of the table that were visited.
    """

    poll: Poll
    phase: ApprovalPhase = ApprovalPhase.UNASKED
    votes: dict[str, str] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    replies: dict[str, str] = field(default_factory=dict)
    voters: dict[str, str] = field(default_factory=dict)
    claim: tuple[str, float] | None = None
    early: str | None = None
    winner: str | None = None
    counted: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)
    asked_twice: bool = False
    cells: list[Cell] = field(default_factory=list)
    trace: list[str] = field(default_factory=list)

    @property
    def policy(self) -> Policy:
        return {"pair": PAIR, "groups": GROUPS}.get(self.poll.approval, Policy())

    @property
    def is_early(self) -> bool:
        return self.poll.approval.startswith("early")

    def look_up(self, given: ApprovalInput) -> ApprovalEffect:
        self.cells.append((self.phase, given))
        cell = TABLE[self.phase, given]
        self.phase = cell.phase
        return cell.effect

    def ask(self) -> None:
        self.look_up(ApprovalInput.ASK)

    def record(self, *, is_edited: bool) -> None:
        """The question is recorded, with the verdict on the decision that arrived before it."""
        early = self.early
        if early is not None and self.words[early] not in refused_words(is_edited=is_edited):
            self.look_up(ApprovalInput.RECORDED_EARLY)
            if self.phase is ApprovalPhase.DECIDED:
                self.winner = early
        else:
            self.look_up(ApprovalInput.RECORDED)
            if early is not None:
                # Refused by the question, so its id is on record no more.
                self.words.pop(early), self.replies.pop(early), self.voters.pop(early)
                self.refused.append((early, "invalid_answer"))

    def vote(
        self, decision_id: str, voter: str, word: str, *, is_edited: bool, is_stale: bool = False
    ) -> str:
        """The reply to an answer or an objection."""
        if self.phase is ApprovalPhase.UNASKED:
            return self._vote_unasked(decision_id, voter, word)
        if decision_id in self.replies:
            return self._repeat(decision_id, voter)
        if self.winner is not None or self.phase is ApprovalPhase.EARLY:
            return REFUSALS[self.look_up(ApprovalInput.OTHER)]
        if self.phase in CLOSED:
            return REFUSALS[self.look_up(ApprovalInput.DECIDE)]
        refusal = self._refusal(voter, word, is_edited=is_edited, is_stale=is_stale)
        return refusal or self._cast(decision_id, voter, word)

    def _vote_unasked(self, decision_id: str, voter: str, word: str) -> str:
        if not self.is_early:
            return "not_asked_yet"
        if word == "object":
            return "not_asked_yet"
        self.look_up(ApprovalInput.DECIDE)
        self.early = decision_id
        self._remember(decision_id, voter, word, "decided")
        return "decided"

    def _repeat(self, decision_id: str, voter: str) -> str:
        if not self.policy.is_default and voter != self.voters[decision_id]:
            return "decision_id_taken"
        self.look_up(ApprovalInput.REPEAT)
        return self.replies[decision_id]

    def _refusal(self, voter: str, word: str, *, is_edited: bool, is_stale: bool) -> str | None:
        if word in refused_words(is_edited=is_edited):
            return "invalid_answer"
        if not may_vote(self.policy, VOTERS, voter, word, starter=STARTER):
            return "not_allowed_by_policy"
        return "stale_digest" if is_stale else None

    def _cast(self, decision_id: str, voter: str, word: str) -> str:
        votes = {name: item for name, item in self.votes.items() if name != voter}
        votes[voter] = decision_id
        self.votes = votes
        if self.claim is not None and self.claim[0] == voter:
            self.claim = None
        given, reply = self._effect_of(voter, decision_id, word)
        self.look_up(given)
        self._remember(decision_id, voter, word, reply)
        if given is ApprovalInput.DECIDE:
            self.winner = decision_id
        if word == "object" or not self.policy.is_default:
            self.counted += 1
        return reply

    def _effect_of(self, voter: str, decision_id: str, word: str) -> tuple[ApprovalInput, str]:
        if word == "object":
            has_veto = set(self.policy.veto) & set(VOTERS[voter])
            return (ApprovalInput.VETO, "vetoed") if has_veto else (ApprovalInput.VOTE, "counted")
        words = {**self.words, decision_id: word}
        same = [name for name, item in self.votes.items() if words[item] == word]
        if self.policy.is_default or is_filled(self.policy, VOTERS, same):
            return ApprovalInput.DECIDE, "decided"
        return ApprovalInput.VOTE, "counted"

    def _remember(self, decision_id: str, voter: str, word: str, reply: str) -> None:
        self.words[decision_id], self.replies[decision_id], self.voters[decision_id] = word, reply, voter

    def assign(self, action: str, voter: str, to: str, now_s: float) -> str:
        """The reply to a claim, a release or a delegation."""
        effect = self.look_up(ApprovalInput.ASSIGN)
        if effect in REFUSALS:
            return REFUSALS[effect]
        if not may_vote(self.policy, VOTERS, voter, "object", starter=STARTER):
            return "not_allowed_by_policy"
        claim = self.claim if self.claim is not None and now_s < self.claim[1] else None
        if claim is not None and claim[0] != voter:
            return "claimed"
        if action == "release" and claim is None:
            return "not_claimed"
        if action == "delegate" and not self._may_delegate(voter, to):
            return "not_allowed_by_policy"
        self.claim = (voter, now_s + CLAIM_S) if action == "claim" else None
        return "assigned"

    def _may_delegate(self, voter: str, to: str) -> bool:
        if to == f"key:{voter}" or (self.policy.exclude_starter and to == f"key:{STARTER}"):
            return False
        groups = [quorum.group for quorum in self.policy.quorum]
        return not to.startswith("group:") or None in groups or to.removeprefix("group:") in groups

    def end(self, given: ApprovalInput) -> None:
        """A deadline, a withdrawal, or the end of the run."""
        self.look_up(given)

    @property
    def deadline_input(self) -> ApprovalInput:
        return ApprovalInput.DEADLINE_WITH_DEFAULT if self.poll.has_default else ApprovalInput.DEADLINE


def refused_words(*, is_edited: bool) -> tuple[str, ...]:
    """The answers that the contract's check refuses."""
    return ("taboo", "no") if is_edited else ("taboo",)
