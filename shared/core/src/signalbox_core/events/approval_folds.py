"""How events change the approvals of a snapshot."""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from msgspec import UnsetType
from msgspec.structs import replace

from signalbox_core.events import approval_data
from signalbox_core.events.envelope import CloudEvent, decode_data
from signalbox_core.events.states import (
    ApprovalState,
    ClaimState,
    Fold,
    RefusedVoteState,
    Snapshot,
    VoteState,
)
from signalbox_core.subjects import Subject

MAX_REFUSED: Final = 10
"""How many refused votes a snapshot shows of each approval."""


def _approval_requested(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    data = decode_data(event, approval_data.ApprovalRequested)
    state = ApprovalState(
        approval_id=data.approval_id,
        name=data.name,
        title=data.title,
        status="pending",
        answer_schema=data.answer_schema,
        options=data.options,
        evidence=data.evidence,
        digest=data.digest,
        requested_at=event.time,
        step=data.step,
        deadline_at=data.deadline_at,
        about=data.about or None,
        policy=data.policy or None,
        proposal=_proposal(data),
        round=data.round or 1,
    )
    others, place = snapshot.approvals, _place_of(snapshot, data.approval_id)
    if place is not None:
        others = (*others[:place], *others[place + 1 :])
    return replace(snapshot, approvals=(*others, state))


def with_recorded_question(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    """Show a question as its `approval.requested` has it; its outcome stays."""
    data = decode_data(event, approval_data.ApprovalRequested)
    return _with_approval(
        snapshot,
        data.approval_id,
        lambda state: replace(
            state,
            title=data.title,
            answer_schema=data.answer_schema,
            options=data.options,
            evidence=data.evidence,
            digest=data.digest,
            deadline_at=data.deadline_at,
            about=data.about or None,
            policy=data.policy or None,
            proposal=_proposal(data),
            round=data.round or 1,
        ),
    )


def _approval_claimed(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    data = decode_data(event, approval_data.ApprovalClaimed)
    claim = ClaimState(by=data.claimed_by, until=data.until)
    return _with_approval(snapshot, data.approval_id, lambda state: replace(state, claim=claim))


def _approval_released(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    data = decode_data(event, approval_data.ApprovalReleased)
    return _with_approval(snapshot, data.approval_id, lambda state: replace(state, claim=None))


def _claim_after_vote(state: ApprovalState, voter: Subject) -> ClaimState | None:
    """The claim of a question; a vote of its subject ends it."""
    is_own = state.claim is not None and state.claim.by.subject == voter.subject
    return None if is_own else state.claim


def _proposal(data: approval_data.ApprovalRequested) -> msgspec.Raw:
    return data.proposal if not isinstance(data.proposal, UnsetType) else msgspec.Raw(b"null")


def _approval_voted(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    data = decode_data(event, approval_data.ApprovalVoted)
    vote = VoteState(
        decision_id=data.decision_id,
        voted_by=data.voted_by,
        voted_at=event.time,
        answer=data.answer,
        objection=data.objection,
        note=data.note,
        group=data.group,
        quorum=data.quorum,
        door=data.door or None,
    )
    return _with_approval(
        snapshot,
        data.approval_id,
        lambda state: replace(
            state,
            claim=_claim_after_vote(state, vote.voted_by),
            votes=(
                *(item for item in state.votes if item.voted_by.subject != vote.voted_by.subject),
                vote,
            ),
        ),
    )


def _vote_refused(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    data = decode_data(event, approval_data.ApprovalVoteRefused)
    refused = RefusedVoteState(
        decision_id=data.decision_id,
        voted_by=data.voted_by,
        refused_at=event.time,
        code=data.code,
        reason=data.reason,
    )
    return _with_approval(
        snapshot,
        data.approval_id,
        lambda state: replace(state, refused=(*state.refused, refused)[-MAX_REFUSED:]),
    )


def _approval_decided(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    data = decode_data(event, approval_data.ApprovalDecided)
    return _with_approval(
        snapshot,
        data.approval_id,
        lambda state: replace(
            state,
            status="decided",
            claim=None,
            decision_id=data.decision_id,
            decided_by=data.decided_by,
            decided_at=event.time,
            answer=data.answer,
            note=data.note,
            decider=data.decider or None,
            outcome=data.outcome or None,
            modified=data.modified or (),
            door=data.door or None,
        ),
    )


def _approval_vetoed(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    data = decode_data(event, approval_data.ApprovalVetoed)
    return _with_approval(
        snapshot,
        data.approval_id,
        lambda state: replace(
            state,
            status="vetoed",
            claim=None,
            decision_id=data.decision_id,
            decided_by=data.voted_by.name or data.voted_by.subject,
            decided_at=event.time,
            note=data.reason,
            decider=data.voted_by,
            door=data.door or None,
        ),
    )


def _approval_expired(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    data = decode_data(event, approval_data.ApprovalExpired)
    answer = data.answer
    return _with_approval(
        snapshot,
        data.approval_id,
        lambda state: replace(
            state,
            status="expired",
            outcome=data.outcome or None,
            answer=state.answer if isinstance(answer, UnsetType) else answer,
        ),
    )


def _approval_withdrawn(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    data = decode_data(event, approval_data.ApprovalWithdrawn)
    return _with_approval(snapshot, data.approval_id, lambda state: replace(state, status="withdrawn"))


def _approval_handed_over(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    data = decode_data(event, approval_data.ApprovalHandedOver)
    return _with_approval(
        snapshot,
        data.approval_id,
        lambda state: replace(
            state,
            handed_to=data.to,
            policy=data.policy or state.policy,
            asked_policy=state.asked_policy or (state.policy if data.policy else None),
            claim=None if data.delegated_by else state.claim,
        ),
    )


APPROVAL_FOLDS: Final[Mapping[str, Fold]] = {
    "approval.requested": _approval_requested,
    "approval.claimed": _approval_claimed,
    "approval.released": _approval_released,
    "approval.voted": _approval_voted,
    "approval.vote_refused": _vote_refused,
    "approval.decided": _approval_decided,
    "approval.vetoed": _approval_vetoed,
    "approval.delegated": _approval_handed_over,
    "approval.escalated": _approval_handed_over,
    "approval.expired": _approval_expired,
    "approval.withdrawn": _approval_withdrawn,
}


def _with_approval(
    snapshot: Snapshot, approval_id: str, change: Callable[[ApprovalState], ApprovalState]
) -> Snapshot:
    place = _place_of(snapshot, approval_id)
    if place is None:
        return snapshot
    found = snapshot.approvals
    return replace(snapshot, approvals=(*found[:place], change(found[place]), *found[place + 1 :]))


def _place_of(snapshot: Snapshot, approval_id: str) -> int | None:
    """Find an approval. A run may have a thousand, and each of their events is folded."""
    try:
        return [item.approval_id for item in snapshot.approvals].index(approval_id)
    except ValueError:
        return None
