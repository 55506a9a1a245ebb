"""The approvals of one run: which questions are open and which decision won. Pure: no Temporal, no clock."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

import msgspec
from temporalio.exceptions import ApplicationError

from signalbox_core.canonical_json import sha256_of
from signalbox_core.events.approval_data import ApprovalRequested
from signalbox_core.pipeline.contract import messages
from signalbox_core.pipeline.contract.failures import non_retryable_error, pipeline_bug
from signalbox_core.pipeline.contract.messages import Decision, DecisionRecord, EarlyDecision
from signalbox_core.pipeline.contract.spec import PipelineSpec
from signalbox_core.pipeline.workflow.answers import judge_answer
from signalbox_core.pipeline.workflow.approval_lifecycle import (
    TABLE,
    ApprovalEffect,
    ApprovalInput,
    ApprovalPhase,
)
from signalbox_core.pipeline.workflow.asked_question import AskedQuestion


class ApprovalRegistry:
    """Tracks a run's questions. Each has exactly one outcome; `approval_lifecycle.TABLE` decides which."""

    def __init__(self, spec: PipelineSpec) -> None:
        self._spec = spec
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

    def open(self, approval_id: str, question: AskedQuestion) -> None:
        """Ask a question; a decision that arrived before it becomes its `early` decision.

        Raises:
            ApplicationError: `pipeline_bug` when the id is in use.
        """
        cell = TABLE[self.phase(approval_id), ApprovalInput.ASK]
        if cell.effect is ApprovalEffect.BUG:
            raise pipeline_bug(
                f"approval id {approval_id!r} is used twice; "
                "leave approval_id out, or make it unique in the run"
            )
        question.phase = cell.phase
        question.early = self._early.pop(approval_id, None)
        self._asked[approval_id] = question
        name = question.approval.name
        self.counts[name] = self.counts.get(name, 0) + 1

    def get(self, approval_id: str) -> AskedQuestion:
        return self._asked[approval_id]

    def find(self, approval_id: str) -> AskedQuestion | None:
        """Return a question that has been asked."""
        return self._asked.get(approval_id)

    def asked(self, name: str, approval_id: str | None) -> AskedQuestion:
        """Return a question of an approval, the latest without an id.

        Raises:
            ApplicationError: `pipeline_bug`: there is none.
        """
        found = [
            question
            for question in self._asked.values()
            if question.approval.name == name and approval_id in (None, question.approval_id)
        ]
        if not found:
            raise pipeline_bug(f"the run has not asked {approval_id or name}; call run.ask first")
        return found[-1]

    def pending(self) -> tuple[AskedQuestion, ...]:
        """Return the open questions in the order in which they were asked."""
        return tuple(question for question in self._asked.values() if question.is_open)

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
        question = self._asked.get(decision.approval_id)
        if question is None:
            self._validate_early(decision, allow_early=allow_early)
            return
        effect = self._effect_of(decision)
        if effect is not ApprovalEffect.RETURN:
            judge_answer(question.approval, decision, question.check, is_changed=question.schema_changed)
        if effect is not ApprovalEffect.DEFER or not question.is_replayed:
            self.check_digest(decision)

    def judge_early(self, decision: Decision) -> None:
        """Check a decision that arrived before its question, which has just been asked.

        Raises:
            ApplicationError: `stale_digest` or `invalid_answer`.
        """
        question = self._asked[decision.approval_id]
        self.check_digest(decision)
        judge_answer(question.approval, decision, question.check)

    def check_digest(self, decision: Decision) -> None:
        """Check that a decision is for the question as it was recorded. Looks at no contract.

        Raises:
            ApplicationError: `stale_digest`.
        """
        digest = self._asked[decision.approval_id].digest
        if decision.digest is not None and decision.digest != digest:
            raise non_retryable_error(
                messages.STALE_DIGEST,
                f"approval {decision.approval_id} has changed since you saw it; "
                "load it again and decide anew",
                field="digest",
                digest=digest,
            )

    def accept(self, decision: Decision, now: datetime) -> tuple[DecisionRecord, bool]:
        """Record a decision that was judged before. Looks at no contract, so replay repeats it exactly.

        Returns:
            The decision on record, and whether this call decided an open question.

        Raises:
            ApplicationError: the question has another outcome.
        """
        effect = self._effect_of(decision)
        earlier = self._record_on_file(decision.approval_id)
        if effect is ApprovalEffect.RETURN and earlier is not None:
            return earlier, False
        record = _record_of(decision, now)
        if effect is ApprovalEffect.HOLD:
            self._early[decision.approval_id] = EarlyDecision(decision=decision, record=record)
            return record, False
        self._transition(decision.approval_id, ApprovalInput.DECIDE)
        self._asked[decision.approval_id].record = record
        return record, True

    def confirm(self, recorded: ApprovalRequested, now: datetime, *, accepts_early: bool) -> Decision | None:
        """Take over a question as the history has it, and the verdict on its early decision.

        Returns:
            The early decision if it decides the question now.
        """
        question = self._asked[recorded.approval_id]
        live = question.requested.answer_schema
        question.schema_changed = msgspec.json.decode(recorded.answer_schema) != msgspec.json.decode(live)
        question.requested = recorded
        early = question.early.decision if accepts_early and question.early is not None else None
        given = ApprovalInput.RECORDED if early is None else ApprovalInput.RECORDED_EARLY
        effect = self._transition(recorded.approval_id, given)
        if early is None or effect is not ApprovalEffect.RECORD:
            return None
        question.record = _record_of(early, now)
        return early

    def _effect_of(self, decision: Decision) -> ApprovalEffect:
        """Look a decision up in the table.

        Raises:
            ApplicationError: the table refuses it.
        """
        record = self._record_on_file(decision.approval_id)
        given = ApprovalInput.DECIDE
        if record is not None:
            is_repeat = record.decision_id == decision.decision_id
            given = ApprovalInput.REPEAT if is_repeat else ApprovalInput.OTHER
        effect = TABLE[self.phase(decision.approval_id), given].effect
        if record is not None and effect is ApprovalEffect.REFUSE_DECIDED:
            raise _already_decided(record)
        if effect in _REFUSALS:
            code, reason = _REFUSALS[effect]
            raise non_retryable_error(code, f"approval {decision.approval_id} {reason}; nothing to do")
        return effect

    def _record_on_file(self, approval_id: str) -> DecisionRecord | None:
        """Return the decision that the approval has, or holds for a question that was not asked yet."""
        question = self._asked.get(approval_id)
        if question is not None:
            return question.record
        early = self._early.get(approval_id)
        return early.record if early is not None else None

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


def _record_of(decision: Decision, now: datetime) -> DecisionRecord:
    return DecisionRecord(
        approval_id=decision.approval_id,
        decision_id=decision.decision_id,
        decided_by=decision.decided_by,
        decided_at=now,
        answer=decision.answer,
        decider=decision.decider,
    )


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
    return sha256_of({"question": question, "options": options, "evidence": evidence})
