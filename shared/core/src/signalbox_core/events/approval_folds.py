"""How events change the approvals of a snapshot."""

from collections.abc import Callable, Mapping
from typing import Final

from msgspec.structs import replace

from signalbox_core.events import approval_data
from signalbox_core.events.envelope import CloudEvent, decode_data
from signalbox_core.events.states import ApprovalState, Fold, Snapshot


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
    )
    others = tuple(approval for approval in snapshot.approvals if approval.approval_id != data.approval_id)
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
        ),
    )


def _approval_decided(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    data = decode_data(event, approval_data.ApprovalDecided)
    return _with_approval(
        snapshot,
        data.approval_id,
        lambda state: replace(
            state,
            status="decided",
            decision_id=data.decision_id,
            decided_by=data.decided_by,
            decided_at=event.time,
            answer=data.answer,
            note=data.note,
            decider=data.decider or None,
        ),
    )


def _approval_expired(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    data = decode_data(event, approval_data.ApprovalExpired)
    return _with_approval(snapshot, data.approval_id, lambda state: replace(state, status="expired"))


def _approval_withdrawn(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    data = decode_data(event, approval_data.ApprovalWithdrawn)
    return _with_approval(snapshot, data.approval_id, lambda state: replace(state, status="withdrawn"))


def _approval_handed_over(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    data = decode_data(event, approval_data.ApprovalHandedOver)
    return _with_approval(snapshot, data.approval_id, lambda state: replace(state, handed_to=data.to))


APPROVAL_FOLDS: Final[Mapping[str, Fold]] = {
    "approval.requested": _approval_requested,
    "approval.decided": _approval_decided,
    "approval.delegated": _approval_handed_over,
    "approval.escalated": _approval_handed_over,
    "approval.expired": _approval_expired,
    "approval.withdrawn": _approval_withdrawn,
}


def _with_approval(
    snapshot: Snapshot, approval_id: str, change: Callable[[ApprovalState], ApprovalState]
) -> Snapshot:
    return replace(
        snapshot,
        approvals=tuple(
            change(item) if item.approval_id == approval_id else item for item in snapshot.approvals
        ),
    )
