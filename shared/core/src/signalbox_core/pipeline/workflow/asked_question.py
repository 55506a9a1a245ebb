"""A question of a run as it was asked, and its outcome. Pure."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from signalbox_core.events.approval_data import ApprovalRequested, LadderRung
from signalbox_core.events.policy import Policy
from signalbox_core.events.states import ClaimState
from signalbox_core.pipeline.contract.messages import DecisionRecord, EarlyDecision
from signalbox_core.pipeline.contract.spec import Approval
from signalbox_core.pipeline.workflow.answers import AnswerCheck
from signalbox_core.pipeline.workflow.approval_lifecycle import OPEN, ApprovalPhase
from signalbox_core.pipeline.workflow.ballot.tally import Vote
from signalbox_core.subjects import Subject


class AskedQuestion(Struct, kw_only=True):
    """A question as it was asked, and its outcome.

    Attributes:
        tenant, run_id: of the run that asks.
        requested: the data of `approval.requested`; on replay computed by live code until the recorded data
            replace it.
        is_replayed: asked during a replay, so `requested` is not certain before the record arrives.
        is_recorded: the history holds the question; False in histories older than that record.
        is_carried: the run's previous execution asked it, and this one has not asked it again yet.
        is_resumed: this execution has asked it again.
        carries_over: the run's next execution takes it over.
        schema_changed: the schema recorded with the question differs from that of the live contract.
        early: the decision that arrived before the question.
        starter: who started the run.
        votes: the latest vote of each subject.
        replies: what the run recorded of each decision, by its id. A vote that was replaced has one too.
        record: the decision that won.
        veto: the objection that ended the question.
        claim: who deals with the question, until when; it may have expired.
        delegated_to: a subject, or `group:<name>`.
        handed_policy: who may decide since the ladder has handed the question over.
        rungs: of the ladder, those that are still to be taken; None until the wait for the answer begins.
    """

    approval: Approval[Any]
    requested: ApprovalRequested
    check: AnswerCheck | None = None
    is_replayed: bool = False
    is_recorded: bool = False
    is_carried: bool = False
    is_resumed: bool = False
    carries_over: bool = False
    schema_changed: bool = False
    early: EarlyDecision | None = None
    starter: Subject | None = None
    tenant: str = ""
    run_id: str = ""
    phase: ApprovalPhase = ApprovalPhase.PENDING
    votes: dict[str, Vote] = {}
    replies: dict[str, DecisionRecord] = {}
    record: DecisionRecord | None = None
    veto: Vote | None = None
    claim: ClaimState | None = None
    delegated_to: str | None = None
    handed_policy: Policy | None = None
    rungs: tuple[LadderRung, ...] | None = None

    @property
    def approval_id(self) -> str:
        return self.requested.approval_id

    @property
    def digest(self) -> str:
        return self.requested.digest

    @property
    def deadline_at(self) -> datetime:
        deadline_at = self.requested.deadline_at
        assert deadline_at is not None, "only events of older versions have no deadline"
        return deadline_at

    @property
    def policy(self) -> Policy:
        return self.handed_policy or self.requested.policy or Policy()

    @property
    def is_voted_out(self) -> bool:
        """Whether votes have ended the question."""
        return self.record is not None or self.veto is not None

    @property
    def is_open(self) -> bool:
        return self.phase in OPEN

    @property
    def defers_votes(self) -> bool:
        """Whether votes wait until the question is recorded, or is asked again."""
        return self.phase in (ApprovalPhase.ASKING, ApprovalPhase.CARRIED)
