"""Converts events and snapshots to the entries of a tenant's pending and decided approvals. Pure."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from signalbox_core.events import CloudEvent, Snapshot
from signalbox_core.events.approval_data import (
    ApprovalDecided,
    ApprovalExpired,
    ApprovalRequested,
    ApprovalVetoed,
    ApprovalWithdrawn,
)
from signalbox_core.events.snapshot import ENDED
from signalbox_core.streams.approval_marks import picture_of
from signalbox_core.streams.run_stream import DecidedItem, InboxItem

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER: Final = re.compile(r"[0-9]{1,6}\Z")
_MAX_NUMBER: Final = 9_999


def inbox_item(event: CloudEvent) -> InboxItem:
    """Create the inbox entry of an `approval.requested`; pipeline and subject are read from the stream."""
    data = msgspec.json.decode(event.data, type=ApprovalRequested)
    return InboxItem(
        run_id=event.runid,
        approval_id=data.approval_id,
        title=data.title,
        pipeline="",
        requested_at=event.time,
        deadline_at=data.deadline_at,
        round=data.round or 1,
        picture=picture_of(data.options),
        policy=data.policy or None,
    )


def requested_us(item: InboxItem) -> int:
    """The place in the inbox: when the approval was requested, in microseconds since 1970.

    A run may ask many questions at one instant. The number at the end of their ids orders them (`page-2`
    before `page-10`), which moves an entry by at most 10 ms.
    """
    number = _NUMBER.search(item.approval_id)
    within = min(int(number[0]), _MAX_NUMBER) if number is not None else 0
    return (item.requested_at - _EPOCH) // timedelta(microseconds=1) + within


def inbox_items(snapshot: Snapshot) -> tuple[InboxItem, ...]:
    """Create the inbox entries of the snapshot's pending approvals."""
    return tuple(
        InboxItem(
            run_id=snapshot.run_id,
            approval_id=approval.approval_id,
            title=approval.title,
            pipeline=snapshot.pipeline,
            requested_at=approval.requested_at,
            deadline_at=approval.deadline_at,
            subject=snapshot.subject,
            round=approval.round,
            picture=picture_of(approval.options),
            policy=approval.policy,
        )
        for approval in snapshot.approvals
        if approval.status == "pending" and snapshot.status not in ENDED
    )


def decided_item(event: CloudEvent) -> DecidedItem | None:
    """Create the entry of the decided approvals for an event; None when the event decides nothing."""
    if event.name == "approval.decided":
        decided = msgspec.json.decode(event.data, type=ApprovalDecided)
        return DecidedItem(
            run_id=event.runid,
            approval_id=decided.approval_id,
            status="decided",
            decided_by=decided.decided_by,
            decided_at=event.time,
            outcome=decided.outcome or None,
        )
    if event.name == "approval.vetoed":
        vetoed = msgspec.json.decode(event.data, type=ApprovalVetoed)
        return DecidedItem(
            run_id=event.runid,
            approval_id=vetoed.approval_id,
            status="vetoed",
            decided_by=vetoed.voted_by.name or vetoed.voted_by.subject,
            decided_at=event.time,
        )
    return None


def decided_items(snapshot: Snapshot) -> tuple[DecidedItem, ...]:
    """Create the entries of the snapshot's decided approvals, equal to those of the events."""
    return tuple(
        DecidedItem(
            run_id=snapshot.run_id,
            approval_id=approval.approval_id,
            status="vetoed" if approval.status == "vetoed" else "decided",
            decided_by=approval.decided_by or "",
            decided_at=approval.decided_at,
            outcome=approval.outcome,
        )
        for approval in snapshot.approvals
        if approval.status in ("decided", "vetoed") and approval.decided_at is not None
    )


def closed_approval(event: CloudEvent) -> str | None:
    """Return the id of the approval that this event closes, or None."""
    if event.name == "approval.decided":
        return msgspec.json.decode(event.data, type=ApprovalDecided).approval_id
    if event.name == "approval.vetoed":
        return msgspec.json.decode(event.data, type=ApprovalVetoed).approval_id
    if event.name == "approval.expired":
        return msgspec.json.decode(event.data, type=ApprovalExpired).approval_id
    if event.name == "approval.withdrawn":
        return msgspec.json.decode(event.data, type=ApprovalWithdrawn).approval_id
    return None
