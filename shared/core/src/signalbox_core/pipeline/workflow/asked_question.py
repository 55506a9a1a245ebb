"""A question of a run as it was asked, and its outcome. Pure."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from signalbox_core.events.approval_data import ApprovalRequested
from signalbox_core.pipeline.contract.messages import DecisionRecord, EarlyDecision
from signalbox_core.pipeline.contract.spec import Approval
from signalbox_core.pipeline.workflow.answers import AnswerCheck
from signalbox_core.pipeline.workflow.approval_lifecycle import OPEN, ApprovalPhase


class AskedQuestion(Struct, kw_only=True):
    """A question as it was asked, and its outcome.

    Attributes:
        requested: the data of `approval.requested`; on replay computed by live code until the recorded data
            replace it.
        is_replayed: asked during a replay, so `requested` is not certain before the record arrives.
        is_recorded: the history holds the question; False in histories older than that record.
        schema_changed: the schema recorded with the question differs from that of the live contract.
        early: the decision that arrived before the question.
        accepts_early: the verdict of live code on it, which is recorded with the question.
        handed_to: the group or subject to which the ladder has handed the question over.
    """

    approval: Approval[Any]
    requested: ApprovalRequested
    check: AnswerCheck | None = None
    is_replayed: bool = False
    is_recorded: bool = False
    schema_changed: bool = False
    early: EarlyDecision | None = None
    accepts_early: bool = False
    phase: ApprovalPhase = ApprovalPhase.PENDING
    record: DecisionRecord | None = None
    handed_to: str | None = None

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
    def is_open(self) -> bool:
        return self.phase in OPEN

    @property
    def awaits_record(self) -> bool:
        return self.phase is ApprovalPhase.ASKING
