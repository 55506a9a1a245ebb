"""The approvals of one run: which question is open, which decision won. Pure: no Temporal, no clock of its own."""

import hashlib
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from signalbox_core.errors import SignalboxError
from signalbox_core.pipeline.contract import messages
from signalbox_core.pipeline.contract.failures import bug, refusal
from signalbox_core.pipeline.contract.messages import Decision, DecisionRecord
from signalbox_core.pipeline.contract.spec import Approval, PipelineSpec

Check = Callable[[Any], None]
"""The pipeline's own rule over a decoded answer; raises InvalidInput."""

_PATH: Final = re.compile(r" - at `\$(.*)`\Z")


class Open(Struct, kw_only=True):
    """One asked question and what became of it: at most one of `record` and `expired` is ever set."""

    approval: Approval[Any]
    digest: str
    check: Check | None = None
    record: DecisionRecord | None = None
    expired: bool = False


class Approvals:
    """Exactly one outcome wins: a decision, or the deadline."""

    def __init__(self, spec: PipelineSpec) -> None:
        self._spec = spec
        self._asked: dict[str, Open] = {}
        self._early: dict[str, tuple[Decision, DecisionRecord]] = {}
        self.counts: dict[str, int] = {}

    def next_id(self, name: str) -> str:
        """`variants`, then `variants-2`, …"""
        count = self.counts.get(name, 0)
        return name if count == 0 else f"{name}-{count + 1}"

    def open(self, approval_id: str, asked: Open) -> None:
        if approval_id in self._asked:
            raise bug(
                f"approval id {approval_id!r} is asked twice; leave approval_id out, or make it unique in the run"
            )
        self._asked[approval_id] = asked
        self.counts[asked.approval.name] = self.counts.get(asked.approval.name, 0) + 1

    def get(self, approval_id: str) -> Open:
        return self._asked[approval_id]

    def take_early(self, approval_id: str) -> Decision | None:
        """The decision that came before its question, if one did."""
        found = self._early.pop(approval_id, None)
        return found[0] if found else None

    def judge(self, decision: Decision) -> None:
        """Accept silently, or refuse with a code that names the reason.

        Raises:
            ApplicationError: `unknown_approval`, `already_decided`, `approval_expired`, `stale_digest` or `invalid_answer`.
        """
        asked = self._asked.get(decision.approval_id)
        if asked is None:
            self._judge_early(decision)
            return
        if asked.expired:
            raise refusal(
                messages.APPROVAL_EXPIRED,
                f"approval {decision.approval_id} expired before anyone decided; nothing to do",
            )
        if asked.record is not None:
            _judge_again(asked.record, decision)
            return
        if decision.digest is not None and decision.digest != asked.digest:
            raise refusal(
                messages.STALE_DIGEST,
                f"approval {decision.approval_id} has changed since you saw it; load it again and decide anew",
                field="digest",
                digest=asked.digest,
            )
        answer_of(asked.approval, decision, asked.check)

    def accept(self, decision: Decision, now: datetime) -> tuple[DecisionRecord, bool]:
        """Record a judged decision; the flag says whether it is the one that decides now (an open question, first time)."""
        asked = self._asked.get(decision.approval_id)
        if asked is not None and asked.record is not None:
            return asked.record, False
        record = DecisionRecord(
            approval_id=decision.approval_id,
            decision_id=decision.decision_id,
            decided_by=decision.decided_by,
            decided_at=now,
            answer=decision.answer,
        )
        if asked is not None:
            asked.record = record
            return record, True
        return self._early.setdefault(decision.approval_id, (decision, record))[1], False

    def _judge_early(self, decision: Decision) -> None:
        approval = next(
            (item for item in self._spec.approvals if self.next_id(item.name) == decision.approval_id), None
        )
        if approval is None:
            raise refusal(
                messages.UNKNOWN_APPROVAL,
                f"this run has no approval {decision.approval_id!r}; open the run to see what it asks",
                field="approval_id",
            )
        early = self._early.get(decision.approval_id)
        if early is not None:
            _judge_again(early[1], decision)
        answer_of(approval, decision, None)


def _judge_again(record: DecisionRecord, decision: Decision) -> None:
    if record.decision_id == decision.decision_id:
        return
    at = record.decided_at.isoformat(timespec="seconds")
    raise refusal(
        messages.ALREADY_DECIDED,
        f"approval {record.approval_id} was already decided by {record.decided_by} at {at}; nothing to do",
        decided_by=record.decided_by,
        decided_at=record.decided_at,
        decision_id=record.decision_id,
    )


def answer_of(approval: Approval[Any], decision: Decision, check: Check | None) -> Any:
    """Decode and check the answer.

    Raises:
        ApplicationError: `invalid_answer`, with the field as a path (`answer.choices[2].text`).
    """
    try:
        answer = msgspec.json.decode(decision.answer, type=approval.answer)
        if check is not None:
            check(answer)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        found = _PATH.search(str(error))
        raise refusal(
            messages.INVALID_ANSWER,
            f"answer: {_PATH.sub('', str(error))}",
            field=f"answer{found.group(1) if found else ''}",
        ) from None
    except SignalboxError as error:
        raise refusal(
            messages.INVALID_ANSWER, error.detail, field=_under_answer(error.field), **error.facts
        ) from None
    return answer


def _under_answer(field: str | None) -> str:
    if field is None:
        return "answer"
    return field if field.startswith("answer") else f"answer.{field}"


def digest_of(question: object, options: object, evidence: object) -> str:
    """SHA-256 over the canonical JSON (sorted keys) of exactly what the approver sees."""
    seen = msgspec.json.decode(
        msgspec.json.encode({"question": question, "options": options, "evidence": evidence})
    )
    return hashlib.sha256(msgspec.json.encode(seen, order="sorted")).hexdigest()
