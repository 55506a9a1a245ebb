"""The approvals of one run: which questions are open and which decision won. Pure: no Temporal, no clock."""

import hashlib
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from signalbox_core.errors import SignalboxError
from signalbox_core.pipeline.contract import messages
from signalbox_core.pipeline.contract.failures import non_retryable_error, pipeline_bug
from signalbox_core.pipeline.contract.messages import Decision, DecisionRecord
from signalbox_core.pipeline.contract.spec import Approval, PipelineSpec

Check = Callable[[Any], None]
"""A pipeline's rule for a decoded answer; raises InvalidInput."""

_PATH: Final = re.compile(r" - at `\$(.*)`\Z")


class AskedQuestion(Struct, kw_only=True):
    """A question and its outcome: at most one of `record` and `expired` is ever set."""

    approval: Approval[Any]
    digest: str
    check: Check | None = None
    record: DecisionRecord | None = None
    expired: bool = False


class ApprovalRegistry:
    """Tracks a run's questions. Each has exactly one outcome: a decision or the deadline."""

    def __init__(self, spec: PipelineSpec) -> None:
        self._spec = spec
        self._asked: dict[str, AskedQuestion] = {}
        self._early: dict[str, tuple[Decision, DecisionRecord]] = {}
        self.counts: dict[str, int] = {}

    def next_id(self, name: str) -> str:
        """Return the id of the next question of this name: `variants`, then `variants-2`, …"""
        count = self.counts.get(name, 0)
        return name if count == 0 else f"{name}-{count + 1}"

    def open(self, approval_id: str, question: AskedQuestion) -> None:
        """Register a question.

        Raises:
            ApplicationError: `pipeline_bug` when the id is in use.
        """
        if approval_id in self._asked:
            raise pipeline_bug(
                f"approval id {approval_id!r} is used twice; "
                "leave approval_id out, or make it unique in the run"
            )
        self._asked[approval_id] = question
        self.counts[question.approval.name] = self.counts.get(question.approval.name, 0) + 1

    def get(self, approval_id: str) -> AskedQuestion:
        return self._asked[approval_id]

    def pop_early_decision(self, approval_id: str) -> Decision | None:
        """Remove and return the decision that arrived before its question; None if there is none."""
        found = self._early.pop(approval_id, None)
        return found[0] if found else None

    def validate(self, decision: Decision) -> None:
        """Check that a decision can be accepted now.

        Raises:
            ApplicationError: `unknown_approval`, `already_decided`, `approval_expired`, `stale_digest` or
                `invalid_answer`.
        """
        question = self._asked.get(decision.approval_id)
        if question is None:
            self._validate_early(decision)
            return
        if question.expired:
            raise non_retryable_error(
                messages.APPROVAL_EXPIRED,
                f"approval {decision.approval_id} expired before anyone decided; nothing to do",
            )
        if question.record is not None:
            _check_same_decision(question.record, decision)
            return
        if decision.digest is not None and decision.digest != question.digest:
            raise non_retryable_error(
                messages.STALE_DIGEST,
                f"approval {decision.approval_id} has changed since you saw it; "
                "load it again and decide anew",
                field="digest",
                digest=question.digest,
            )
        decode_answer(question.approval, decision, question.check)

    def accept(self, decision: Decision, now: datetime) -> tuple[DecisionRecord, bool]:
        """Record a validated decision. Idempotent by decision id.

        Returns:
            The decision on record, and whether this call decided an open question.
        """
        question = self._asked.get(decision.approval_id)
        if question is not None and question.record is not None:
            return question.record, False
        record = DecisionRecord(
            approval_id=decision.approval_id,
            decision_id=decision.decision_id,
            decided_by=decision.decided_by,
            decided_at=now,
            answer=decision.answer,
            decider=decision.decider,
        )
        if question is not None:
            question.record = record
            return record, True
        return self._early.setdefault(decision.approval_id, (decision, record))[1], False

    def _validate_early(self, decision: Decision) -> None:
        approval = next(
            (item for item in self._spec.approvals if self.next_id(item.name) == decision.approval_id), None
        )
        if approval is None:
            raise non_retryable_error(
                messages.UNKNOWN_APPROVAL,
                f"this run has no approval {decision.approval_id!r}; load the run to see its approvals",
                field="approval_id",
            )
        early = self._early.get(decision.approval_id)
        if early is not None:
            _check_same_decision(early[1], decision)
        decode_answer(approval, decision, None)


def _check_same_decision(record: DecisionRecord, decision: Decision) -> None:
    if record.decision_id == decision.decision_id:
        return
    at = record.decided_at.isoformat(timespec="seconds")
    raise non_retryable_error(
        messages.ALREADY_DECIDED,
        f"approval {record.approval_id} was already decided by {record.decided_by} at {at}; nothing to do",
        decided_by=record.decided_by,
        decided_at=record.decided_at,
        decision_id=record.decision_id,
    )


def decode_answer(approval: Approval[Any], decision: Decision, check: Check | None) -> Any:
    """Decode the answer and apply the pipeline's check.

    Raises:
        ApplicationError: `invalid_answer`, with the field as a path (`answer.choices[2].text`).
    """
    try:
        answer = msgspec.json.decode(decision.answer, type=approval.answer)
        if check is not None:
            check(answer)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        found = _PATH.search(str(error))
        raise non_retryable_error(
            messages.INVALID_ANSWER,
            f"answer: {_PATH.sub('', str(error))}",
            field=f"answer{found.group(1) if found else ''}",
        ) from None
    except SignalboxError as error:
        raise non_retryable_error(
            messages.INVALID_ANSWER, error.detail, field=_answer_path(error.field), **error.facts
        ) from None
    return answer


def _answer_path(field: str | None) -> str:
    if field is None:
        return "answer"
    return field if field.startswith("answer") else f"answer.{field}"


def digest_of(question: object, options: object, evidence: object) -> str:
    """Compute the SHA-256 of the canonical JSON (sorted keys) of exactly what the approver sees."""
    shown = msgspec.json.decode(
        msgspec.json.encode({"question": question, "options": options, "evidence": evidence})
    )
    return hashlib.sha256(msgspec.json.encode(shown, order="sorted")).hexdigest()
