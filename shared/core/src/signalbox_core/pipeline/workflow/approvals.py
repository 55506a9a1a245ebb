"""The approvals of one run: which questions are open and which decision won. Pure: no Temporal, no clock."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct
from temporalio.exceptions import ApplicationError

from signalbox_core.pipeline.contract import messages
from signalbox_core.pipeline.contract.failures import non_retryable_error, pipeline_bug
from signalbox_core.pipeline.contract.messages import Decision, DecisionRecord, EarlyDecision
from signalbox_core.pipeline.contract.spec import Approval, PipelineSpec
from signalbox_core.pipeline.workflow.answers import AnswerCheck, judge_answer
from signalbox_core.pipeline.workflow.approval_lifecycle import (
    TABLE,
    ApprovalEffect,
    ApprovalInput,
    ApprovalPhase,
)


class AskedQuestion(Struct, kw_only=True):
    """A question as it was asked, and its outcome.

    Attributes:
        deadline_at: None in unit tests only.
        is_recorded: the history holds the question; False in histories older than that record.
        schema_changed: the schema recorded with the question differs from that of the live contract.
    """

    approval: Approval[Any]
    digest: str
    check: AnswerCheck | None = None
    deadline_at: datetime | None = None
    is_recorded: bool = False
    schema_changed: bool = False
    phase: ApprovalPhase = ApprovalPhase.PENDING
    record: DecisionRecord | None = None


class ApprovalRegistry:
    """Tracks a run's questions. Each has exactly one outcome; `approval_lifecycle.TABLE` decides which."""

    def __init__(self, spec: PipelineSpec) -> None:
        self._spec = spec
        self._reserved: dict[str, AskedQuestion] = {}
        self._asked: dict[str, AskedQuestion] = {}
        self._early: dict[str, EarlyDecision] = {}
        self.counts: dict[str, int] = {}

    @property
    def early_decisions(self) -> tuple[EarlyDecision, ...]:
        """The decisions whose questions have not been asked."""
        return tuple(self._early.values())

    def restore(self, counts: Iterable[tuple[str, int]], early: Iterable[EarlyDecision]) -> None:
        """Take over what the run's previous execution left."""
        self.counts = dict(counts)
        self._early = {item.decision.approval_id: item for item in early}

    def next_id(self, name: str) -> str:
        """Return the id of the next question of this name: `variants`, then `variants-2`, …"""
        count = self.counts.get(name, 0)
        return name if count == 0 else f"{name}-{count + 1}"

    def reserve(self, approval_id: str, question: AskedQuestion) -> Decision | None:
        """Take the id of a question that is about to be asked.

        Returns:
            The decision that arrived before its question, which is to be judged now; None if there is none.

        Raises:
            ApplicationError: `pipeline_bug` when the id is in use.
        """
        if approval_id in self._reserved:
            raise pipeline_bug(
                f"approval id {approval_id!r} is used twice; "
                "leave approval_id out, or make it unique in the run"
            )
        self._reserved[approval_id] = question
        name = question.approval.name
        self.counts[name] = self.counts.get(name, 0) + 1
        early = self._early.get(approval_id)
        return early.decision if early is not None else None

    def open(self, approval_id: str) -> Decision | None:
        """Ask the question reserved under this id.

        Returns:
            The decision that the run holds for it; None if there is none.
        """
        self._transition(approval_id, ApprovalInput.ASK)
        self._asked[approval_id] = self._reserved[approval_id]
        return self.drop_early(approval_id)

    def drop_early(self, approval_id: str) -> Decision | None:
        """Remove and return the decision held for a question."""
        early = self._early.pop(approval_id, None)
        return early.decision if early is not None else None

    def get(self, approval_id: str) -> AskedQuestion:
        return self._asked[approval_id]

    def pending(self) -> tuple[tuple[str, AskedQuestion], ...]:
        """Return the open questions with their ids, in the order in which they were asked."""
        return tuple(item for item in self._asked.items() if item[1].phase is ApprovalPhase.PENDING)

    def phase(self, approval_id: str) -> ApprovalPhase:
        question = self._asked.get(approval_id)
        if question is not None:
            return question.phase
        return ApprovalPhase.EARLY if approval_id in self._early else ApprovalPhase.UNASKED

    def close(self, approval_id: str, given: ApprovalInput) -> ApprovalEffect:
        """Apply a deadline, a withdrawal or the end of the run."""
        return self._transition(approval_id, given)

    def validate(self, decision: Decision, *, allow_early: bool = False) -> None:
        """Check that a decision can be accepted now, against the live contract and the recorded question.

        Args:
            allow_early: accept a decision before its question even if the contract does not; so did
                versions whose histories hold no judgements.

        Raises:
            ApplicationError: `unknown_approval`, `not_asked_yet`, `already_decided`, `approval_expired`,
                `withdrawn`, `stale_digest` or `invalid_answer`.
        """
        if decision.approval_id not in self._reserved:
            self._validate_early(decision, allow_early=allow_early)
        elif self._effect_of(decision) is not ApprovalEffect.RETURN:
            self.judge(decision)

    def judge(self, decision: Decision) -> None:
        """Check the digest and the answer of a decision against its question, which is at least reserved.

        Raises:
            ApplicationError: `stale_digest` or `invalid_answer`.
        """
        question = self._reserved[decision.approval_id]
        if decision.digest is not None and decision.digest != question.digest:
            raise non_retryable_error(
                messages.STALE_DIGEST,
                f"approval {decision.approval_id} has changed since you saw it; "
                "load it again and decide anew",
                field="digest",
                digest=question.digest,
            )
        judge_answer(question.approval, decision, question.check, is_changed=question.schema_changed)

    def accept(self, decision: Decision, now: datetime) -> tuple[DecisionRecord, bool]:
        """Record a decision that was judged before. Looks at no contract, so replay repeats it exactly.

        Returns:
            The decision on record, and whether this call decided an open question.

        Raises:
            ApplicationError: the question has another outcome.
        """
        approval_id = decision.approval_id
        if approval_id in self._reserved and approval_id not in self._asked:
            # Judged against the question being recorded, so the decision held before was refused by it.
            self._early.pop(approval_id, None)
        effect = self._effect_of(decision)
        if effect is ApprovalEffect.RETURN:
            return self._record_of(approval_id), False
        record = DecisionRecord(
            approval_id=approval_id,
            decision_id=decision.decision_id,
            decided_by=decision.decided_by,
            decided_at=now,
            answer=decision.answer,
        )
        if effect is ApprovalEffect.HOLD:
            self._early[approval_id] = EarlyDecision(decision=decision, record=record)
            return record, False
        self._transition(approval_id, ApprovalInput.DECIDE)
        self._asked[approval_id].record = record
        return record, True

    def _effect_of(self, decision: Decision) -> ApprovalEffect:
        """Look the decision up in the table.

        Raises:
            ApplicationError: the table refuses it.
        """
        phase = self.phase(decision.approval_id)
        given = ApprovalInput.DECIDE
        if phase in (ApprovalPhase.EARLY, ApprovalPhase.DECIDED):
            record = self._record_of(decision.approval_id)
            is_repeat = record.decision_id == decision.decision_id
            given = ApprovalInput.REPEAT if is_repeat else ApprovalInput.OTHER
        effect = TABLE[phase, given].effect
        if effect is ApprovalEffect.REFUSE_DECIDED:
            raise _already_decided(self._record_of(decision.approval_id))
        if effect in _REFUSALS:
            code, reason = _REFUSALS[effect]
            raise non_retryable_error(code, f"approval {decision.approval_id} {reason}; nothing to do")
        return effect

    def _record_of(self, approval_id: str) -> DecisionRecord:
        question = self._asked.get(approval_id)
        record = question.record if question is not None else self._early[approval_id].record
        assert record is not None
        return record

    def _transition(self, approval_id: str, given: ApprovalInput) -> ApprovalEffect:
        cell = TABLE[self.phase(approval_id), given]
        assert cell.effect is not ApprovalEffect.IMPOSSIBLE, (approval_id, given)
        question = self._asked.get(approval_id)
        if question is not None:
            question.phase = cell.phase
        return cell.effect

    def _validate_early(self, decision: Decision, *, allow_early: bool) -> None:
        approval_id = decision.approval_id
        approval = next(
            (item for item in self._spec.approvals if self.next_id(item.name) == approval_id), None
        )
        if approval is None:
            raise non_retryable_error(
                messages.UNKNOWN_APPROVAL,
                f"this run has no approval {approval_id!r}; load the run to see its approvals",
                field="approval_id",
            )
        if not (approval.early or allow_early):
            raise non_retryable_error(
                messages.NOT_ASKED_YET,
                f"approval {approval_id} has not been asked yet; wait for the question, then decide",
                field="approval_id",
            )
        self._effect_of(decision)
        judge_answer(approval, decision, None)


_REFUSALS: Final[Mapping[ApprovalEffect, tuple[str, str]]] = {
    ApprovalEffect.REFUSE_EXPIRED: (messages.APPROVAL_EXPIRED, "expired before anyone decided"),
    ApprovalEffect.REFUSE_WITHDRAWN: (messages.WITHDRAWN, "was withdrawn: the run no longer asks it"),
    ApprovalEffect.REFUSE_ENDED: ("conflict", "ended with its run"),
}


def _already_decided(record: DecisionRecord) -> ApplicationError:
    at = record.decided_at.isoformat(timespec="seconds")
    return non_retryable_error(
        messages.ALREADY_DECIDED,
        f"approval {record.approval_id} was already decided by {record.decided_by} at {at}; nothing to do",
        decided_by=record.decided_by,
        decided_at=record.decided_at,
        decision_id=record.decision_id,
    )


def digest_of(question: object, options: object, evidence: object) -> str:
    """Compute the SHA-256 of the canonical JSON (sorted keys) of exactly what the approver sees."""
    shown = msgspec.json.decode(
        msgspec.json.encode({"question": question, "options": options, "evidence": evidence})
    )
    return hashlib.sha256(msgspec.json.encode(shown, order="sorted")).hexdigest()
