"""The events of a vote: `approval.voted` of a question with a policy, and the outcome that it made. Pure."""

from collections.abc import Iterator
from copy import copy
from datetime import datetime
from itertools import accumulate
from typing import Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from signalbox_core.canonical_json import edited_members
from signalbox_core.events.approval_data import ApprovalDecided, ApprovalVetoed, ApprovalVoted
from signalbox_core.passkeys.signature import PasskeySignature
from signalbox_core.pipeline.contract.failures import non_retryable_error
from signalbox_core.pipeline.contract.messages import ANSWER_TOO_LARGE, Decision, DecisionRecord
from signalbox_core.pipeline.workflow.asked_question import AskedQuestion
from signalbox_core.pipeline.workflow.ballot.tally import first_group, tally, veto_group, voter_of
from signalbox_core.pipeline.workflow.ballot.vote import apply_vote, classify
from signalbox_core.pipeline.workflow.journal import MAX_DATA_BYTES

_MAX_MODIFIED_BYTES: Final = 64 * 1024
_QUOTES_BYTES: Final = 3


def check_size(question: AskedQuestion, decision: Decision, now: datetime) -> None:
    """Check that the events of a vote can hold it, before the vote changes the question.

    Raises:
        ApplicationError: `answer_too_large`.
    """
    voted = copy(question)
    apply_vote(voted, decision, classify(question, decision, now), now)
    size = max(len(msgspec.json.encode(data)) for _, data in vote_events(voted, decision))
    if size > MAX_DATA_BYTES:
        raise non_retryable_error(
            ANSWER_TOO_LARGE,
            f"the answer to approval {question.approval_id} makes an event of {size} bytes with its note and "
            f"the signatures of the votes, and at most {MAX_DATA_BYTES} are accepted; shorten the answer",
            field="answer",
        )


def vote_events(question: AskedQuestion, decision: Decision) -> Iterator[tuple[str, Struct]]:
    """Yield name and data of the events of a vote that was just applied.

    With the default policy an answer is `approval.decided` alone.
    """
    record = question.replies[decision.decision_id]
    if record.result:
        yield "approval.voted", _voted(question, decision)
    if record.result == "vetoed":
        yield "approval.vetoed", _vetoed(question, decision)
    elif record.result != "counted":
        yield "approval.decided", _decided(question, decision, record)


def _voted(question: AskedQuestion, decision: Decision) -> ApprovalVoted:
    voter, policy = voter_of(decision), question.policy
    group = veto_group(policy, voter)
    answers = [vote.decision.answer for vote in question.votes.values() if not vote.decision.objection]
    voted = tally(policy, question.votes, answers[-1]) if answers else None
    if decision.objection:
        return ApprovalVoted(
            approval_id=question.approval_id,
            decision_id=decision.decision_id,
            voted_by=voter,
            answer=decision.answer,
            objection=True,
            note=decision.note,
            rule="veto" if group is not None else "quorum",
            group=group if group is not None else first_group(policy, voter),
            policy_digest=policy.digest,
            quorum=voted.quorum if voted is not None else (),
            signature=decision.signature or UNSET,
            door=decision.door or UNSET,
        )
    return ApprovalVoted(
        approval_id=question.approval_id,
        decision_id=decision.decision_id,
        voted_by=voter,
        answer=decision.answer,
        note=decision.note,
        group=(voted.group_of(decision.decision_id) if voted is not None else None)
        or first_group(policy, voter),
        policy_digest=policy.digest,
        quorum=voted.quorum if voted is not None else (),
        signature=decision.signature or UNSET,
        door=decision.door or UNSET,
    )


def _vetoed(question: AskedQuestion, decision: Decision) -> ApprovalVetoed:
    voter = voter_of(decision)
    return ApprovalVetoed(
        approval_id=question.approval_id,
        decision_id=decision.decision_id,
        voted_by=voter,
        reason=decision.note or "",
        group=veto_group(question.policy, voter),
        policy_digest=question.policy.digest,
        signatures=(decision.signature,) if decision.signature is not None else UNSET,
        door=decision.door or UNSET,
    )


def _decided(question: AskedQuestion, decision: Decision, record: DecisionRecord) -> ApprovalDecided:
    has_policy = bool(record.result)
    counted = record.votes or ()
    group = next((vote.group for vote in counted if vote.decision_id == decision.decision_id), None)
    proposal = question.requested.proposal
    edited = () if isinstance(proposal, UnsetType) else _bounded(edited_members(proposal, decision.answer))
    return ApprovalDecided(
        approval_id=decision.approval_id,
        decision_id=decision.decision_id,
        decided_by=decision.decided_by,
        answer=decision.answer,
        note=decision.note,
        decider=decision.decider if decision.decider is not None else UNSET,
        rule="quorum" if has_policy else UNSET,
        group=group or UNSET,
        policy_digest=question.policy.digest if has_policy else UNSET,
        votes=record.votes,
        outcome="modified" if edited else UNSET,
        modified=edited or UNSET,
        signatures=_signatures(question, decision, record) or UNSET,
        door=decision.door or UNSET,
    )


def _bounded(pointers: tuple[str, ...]) -> tuple[str, ...]:
    """Return the first pointers, so that those of an answer with thousands of edits fit into the event."""
    sizes = accumulate(len(pointer.encode()) + _QUOTES_BYTES for pointer in pointers)
    return tuple(
        pointer for pointer, size in zip(pointers, sizes, strict=True) if size <= _MAX_MODIFIED_BYTES
    )


def _signatures(
    question: AskedQuestion, decision: Decision, record: DecisionRecord
) -> tuple[PasskeySignature, ...]:
    """The signatures of the votes that made the outcome."""
    counted = {vote.decision_id for vote in record.votes or ()} | {decision.decision_id}
    decisions = (vote.decision for vote in question.votes.values())
    return tuple(
        item.signature for item in decisions if item.decision_id in counted and item.signature is not None
    )
