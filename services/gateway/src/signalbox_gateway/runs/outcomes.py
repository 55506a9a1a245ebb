"""The outcome of an approval that a snapshot holds. Pure."""

import msgspec
from msgspec import UNSET

from signalbox_core.errors import Conflict
from signalbox_core.events.snapshot import ENDED, ApprovalState, Snapshot
from signalbox_core.pipeline.contract.messages import Decision, DecisionRecord


def recorded_outcome(snapshot: Snapshot, decision: Decision) -> DecisionRecord | None:
    """The outcome that the snapshot holds. It may lag behind the workflow, but what it holds is final.

    Returns:
        The record of this very decision; None when the workflow has to answer.

    Raises:
        Conflict: the approval has another outcome or another digest, or the run has ended without one.
    """
    state = find_approval(snapshot, decision.approval_id)
    record = _record(state) if state is not None else None
    if state is None or record is None:
        if snapshot.status in ENDED:
            if state is not None and (earlier := _earlier_vote(state, decision)) is not None:
                return earlier
            raise run_ended(snapshot.run_id, snapshot.status)
        if state is not None and state.status == "withdrawn":
            raise Conflict(
                f"approval {state.approval_id} of run {snapshot.run_id} was withdrawn: "
                "the run no longer asks it; nothing to do",
                code="withdrawn",
            )
        return None
    if record.decision_id != decision.decision_id:
        record = _earlier_vote(state, decision)
    if record is None:
        raise _outcome_conflict(snapshot.run_id, state)
    check_same_answer(decision, record)
    if decision.digest is not None and decision.digest != state.digest:
        raise Conflict(
            f"decision {decision.decision_id} was accepted for another version of approval "
            f"{state.approval_id}; "
            "load the approval to see what was decided",
            field="digest",
            code="stale_digest",
            digest=state.digest,
        )
    return record


def _outcome_conflict(run_id: str, state: ApprovalState) -> Conflict:
    if state.status != "vetoed":
        return already_decided(run_id, state)
    return Conflict(
        f"approval {state.approval_id} of run {run_id} was vetoed by {state.decided_by}: {state.note}",
        code="vetoed",
        decision_id=state.decision_id,
        decided_by=state.decided_by,
        reason=state.note,
    )


def already_decided(run_id: str, state: ApprovalState) -> Conflict:
    at = state.decided_at.isoformat(timespec="minutes") if state.decided_at else "an unknown time"
    return Conflict(
        f"approval {state.approval_id} of run {run_id} was already decided by {state.decided_by} at {at}; "
        "nothing to do",
        code="already_decided",
        decision_id=state.decision_id,
        decided_by=state.decided_by,
        decided_at=state.decided_at.isoformat() if state.decided_at else None,
        answer=msgspec.json.decode(state.answer),
    )


def check_same_answer(decision: Decision, record: DecisionRecord) -> None:
    """Raises: Conflict: the decision id was used by another subject or answer, so this is not a retry."""
    is_other = (
        record.decider is not None
        and decision.decider is not None
        and record.decider.subject != decision.decider.subject
    )
    is_same = (
        not is_other
        and record.approval_id == decision.approval_id
        and msgspec.json.decode(record.answer) == msgspec.json.decode(decision.answer)
    )
    if record.decision_id == decision.decision_id and not is_same:
        raise Conflict(
            f"decision_id {decision.decision_id} was used by {record.decided_by} or for a different answer; "
            "use a new id for a new decision",
            field="decision_id",
            code="decision_id_taken",
        )


def find_approval(snapshot: Snapshot, approval_id: str) -> ApprovalState | None:
    return next((state for state in snapshot.approvals if state.approval_id == approval_id), None)


def _record(state: ApprovalState) -> DecisionRecord | None:
    if state.decision_id is None or state.decided_by is None or state.decided_at is None:
        return None
    return DecisionRecord(
        approval_id=state.approval_id,
        decision_id=state.decision_id,
        decided_by=state.decided_by,
        decided_at=state.decided_at,
        answer=state.answer,
        decider=state.decider,
        result="vetoed" if state.status == "vetoed" else UNSET,
    )


def _earlier_vote(state: ApprovalState, decision: Decision) -> DecisionRecord | None:
    """The record of a vote that did not make the outcome."""
    vote = next((vote for vote in state.votes if vote.decision_id == decision.decision_id), None)
    if vote is None:
        return None
    return DecisionRecord(
        approval_id=state.approval_id,
        decision_id=vote.decision_id,
        decided_by=vote.voted_by.name or vote.voted_by.subject,
        decided_at=vote.voted_at,
        answer=vote.answer,
        decider=vote.voted_by,
        result="counted",
        quorum=vote.quorum,
    )


def plain_workflow(run_id: str) -> Conflict:
    """The problem of a request that needs a pipeline."""
    return Conflict(
        f"run {run_id} is a plain workflow, which has no pipeline: it can only be cancelled",
        code="plain_workflow",
    )


def run_ended(run_id: str, status: str) -> Conflict:
    """The problem of controlling or deciding a run that has ended."""
    return Conflict(
        f"run {run_id} has already ended ({status}); nothing to do", code="run_ended", run_status=status
    )
