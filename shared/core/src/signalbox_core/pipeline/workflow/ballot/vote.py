"""Validates a vote on a question that has been asked, and applies it. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from msgspec import UNSET
from msgspec.structs import replace
from temporalio.exceptions import ApplicationError

from signalbox_core.pipeline.contract import messages
from signalbox_core.pipeline.contract.failures import non_retryable_error
from signalbox_core.pipeline.contract.messages import Decision, DecisionPreview, DecisionRecord, VoteResult
from signalbox_core.pipeline.workflow.answers import validate_answer
from signalbox_core.pipeline.workflow.approval_lifecycle import ApprovalEffect, ApprovalInput
from signalbox_core.pipeline.workflow.asked_question import AskedQuestion
from signalbox_core.pipeline.workflow.ballot.assignment import end_claim
from signalbox_core.pipeline.workflow.ballot.tally import Vote, tally, veto_group, voter_of


def validate_content(question: AskedQuestion, decision: Decision) -> None:
    """Check the answer, or the reason of an objection.

    Raises:
        ApplicationError: `invalid_answer` or `reason_required`.
    """
    if not decision.objection:
        validate_answer(question.approval, decision, question.check, is_changed=question.schema_changed)
    elif not (decision.note or "").strip():
        raise non_retryable_error(
            messages.REASON_REQUIRED, "an objection needs a reason; state it in the note", field="note"
        )


def classify(question: AskedQuestion, decision: Decision, now: datetime) -> ApprovalInput:
    """Return what a vote does to an open question by its recorded policy."""
    if decision.objection:
        is_veto = veto_group(question.policy, voter_of(decision)) is not None
        return ApprovalInput.VETO if is_veto else ApprovalInput.VOTE
    if question.policy.is_default:
        return ApprovalInput.DECIDE
    voted = tally(question.policy, _votes_with(question, decision, now), decision.answer)
    return ApprovalInput.DECIDE if voted.is_full else ApprovalInput.VOTE


def _votes_with(question: AskedQuestion, decision: Decision, now: datetime) -> dict[str, Vote]:
    subject = voter_of(decision).subject
    others = {voter: vote for voter, vote in question.votes.items() if voter != subject}
    return {**others, subject: Vote(decision=decision, voted_at=now)}


def apply_vote(
    question: AskedQuestion, decision: Decision, given: ApprovalInput, now: datetime
) -> DecisionRecord:
    """Count a vote and return what is on record of it."""
    question.votes = _votes_with(question, decision, now)
    end_claim(question, voter_of(decision))
    record = record_of(decision, now)
    if not question.policy.is_default or decision.objection:
        record = replace(record, result=_RESULTS[given])
        if not decision.objection:
            voted = tally(question.policy, question.votes, decision.answer)
            votes = voted.counted if given is ApprovalInput.DECIDE else UNSET
            record = replace(record, quorum=voted.quorum, votes=votes)
    question.replies = {**question.replies, decision.decision_id: record}
    if given is ApprovalInput.DECIDE:
        question.record = record
    elif given is ApprovalInput.VETO:
        question.veto = question.votes[voter_of(decision).subject]
    return record


def preview_of(question: AskedQuestion | None, decision: Decision, now: datetime) -> DecisionPreview:
    """Return what a decision that passed validation would do.

    Args:
        question: None if it has not been asked; the decision would be held for it.
    """
    if question is None:
        return DecisionPreview()
    if (reply := question.replies.get(decision.decision_id)) is not None:
        return DecisionPreview(result=reply.result or "decided", quorum=reply.quorum or ())
    given = classify(question, decision, now)
    if question.policy.is_default or decision.objection:
        return DecisionPreview(result=_RESULTS[given])
    voted = tally(question.policy, _votes_with(question, decision, now), decision.answer)
    return DecisionPreview(result=_RESULTS[given], quorum=voted.quorum)


_RESULTS: Final[Mapping[ApprovalInput, VoteResult]] = {
    ApprovalInput.DECIDE: "decided",
    ApprovalInput.VOTE: "counted",
    ApprovalInput.VETO: "vetoed",
}


def record_of(decision: Decision, now: datetime) -> DecisionRecord:
    return DecisionRecord(
        approval_id=decision.approval_id,
        decision_id=decision.decision_id,
        decided_by=decision.decided_by,
        decided_at=now,
        answer=decision.answer,
        decider=decision.decider,
    )


def check_same_voter(question: AskedQuestion | None, decision: Decision, reply: DecisionRecord) -> None:
    """Check that a vote repeats one of the same subject, where votes of several subjects count.

    Raises:
        ApplicationError: `decision_id_taken`.
    """
    if question is None or question.policy.is_default or reply.decider == decision.decider:
        return
    if voter_of(decision).subject != (reply.decider.subject if reply.decider is not None else None):
        raise non_retryable_error(
            messages.DECISION_ID_TAKEN,
            f"decision_id {decision.decision_id} was used by another subject; use a new id",
            field="decision_id",
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


def refuse(effect: ApprovalEffect, approval_id: str, record: DecisionRecord | None) -> None:
    """Raise the refusal that an effect of the table stands for, if it is one.

    Raises:
        ApplicationError: the table refuses the input.
    """
    if record is not None and effect is ApprovalEffect.REFUSE_DECIDED:
        raise _already_decided(record)
    if effect in _REFUSALS:
        code, reason = _REFUSALS[effect]
        raise non_retryable_error(code, f"approval {approval_id} {reason}; nothing to do")


_REFUSALS: Final[Mapping[ApprovalEffect, tuple[str, str]]] = {
    ApprovalEffect.REFUSE_UNASKED: (messages.UNKNOWN_APPROVAL, "has not been asked"),
    ApprovalEffect.REFUSE_VETOED: (messages.VETOED, "was vetoed"),
    ApprovalEffect.REFUSE_EXPIRED: (messages.APPROVAL_EXPIRED, "expired before anyone decided"),
    ApprovalEffect.REFUSE_WITHDRAWN: (messages.WITHDRAWN, "was withdrawn: the run no longer asks it"),
    ApprovalEffect.REFUSE_ENDED: ("conflict", "ended with its run"),
}
