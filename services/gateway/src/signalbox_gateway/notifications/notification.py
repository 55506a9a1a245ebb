"""What is sent about one event of an approval, independent of the channel. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote

import msgspec
from msgspec import Struct

from signalbox_core.events import CloudEvent
from signalbox_core.events.snapshot import ApprovalState, Snapshot, fold
from signalbox_core.pipeline.contract.ladder import GROUP_PREFIX

HEADLINES: Final[Mapping[str, str]] = {
    "approval.requested": "Decision requested",
    "approval.reminded": "Reminder, decision pending",
    "approval.delegated": "Decision delegated",
    "approval.escalated": "Decision escalated",
    "approval.decided": "Decided",
    "approval.vetoed": "Vetoed",
    "approval.expired": "Expired without a decision",
    "approval.withdrawn": "No decision needed any more",
}
"""The events that can be routed, and how their notifications begin."""
_DEFAULTED: Final = "Expired, continued with the default answer"
PENDING: Final = frozenset(
    {"approval.requested", "approval.reminded", "approval.delegated", "approval.escalated"}
)
"""The events that ask for a decision; their notifications are obsolete once there is an outcome."""

MAX_AGE: Final = timedelta(hours=24)
"""A notification that could not be delivered for this long has failed."""
_LONGEST_BACKOFF: Final = timedelta(hours=1)


class Notification(Struct, frozen=True, kw_only=True):
    """One message, ready for a channel to format.

    Attributes:
        id: the same for every attempt, so that a recipient can deduplicate.
        event: the short name of the event, `approval.requested`.
        run_title: the title of the pipeline.
        subject: what the run is about; None when the contract of its pipeline has no subject.
        url: the approval or its run in the console.
        handed_to: the group or subject to which the ladder has handed the question over.
        decide_url: decides without an account, as the one recipient; a secret.
        outcome: qualifies the event, for example `modified` or `defaulted`; None if nothing does.
    """

    id: str
    event: str
    tenant: str
    run_id: str
    run_title: str
    approval_id: str
    title: str
    at: datetime
    url: str
    deadline_at: datetime | None = None
    decided_by: str | None = None
    handed_to: str | None = None
    decide_url: str | None = None
    subject: str | None = None
    outcome: str | None = None

    @property
    def headline(self) -> str:
        """One line, `Decision requested: Publish these ads?`."""
        start = _DEFAULTED if self.outcome == "defaulted" else HEADLINES[self.event]
        return " ".join(f"{start}: {self.title}".split())

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """Labels and values for people."""
        found = [("Run", f"{self.run_title} ({self.run_id})")]
        if self.subject is not None:
            found.insert(0, ("Subject", self.subject))
        if self.decided_by is not None:
            found.append(("Decided by", self.decided_by))
        if self.handed_to is not None:
            found.append(("Handed over to", self.handed_to))
        if self.deadline_at is not None and self.event in PENDING:
            found.append(("Deadline", f"{self.deadline_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"))
        return tuple(found)


class _ApprovalEvent(Struct, frozen=True, kw_only=True):
    """The members that the events of an approval share."""

    approval_id: str
    title: str | None = None
    deadline_at: datetime | None = None
    decided_by: str | None = None
    to: str | None = None
    outcome: str | None = None


def addressees_of(event: CloudEvent, state: ApprovalState | None) -> frozenset[str]:
    """The groups and subjects that a notification is for; empty when it is for the whole tenant.

    They are the target of a hand-over, else those that the policy of the question names.
    """
    to = msgspec.json.decode(event.data, type=_ApprovalEvent).to or (state.handed_to if state else None)
    if to is not None:
        return frozenset({to})
    policy = state.policy if state is not None else None
    if policy is None:
        return frozenset()
    groups = (quorum.group for quorum in policy.quorum)
    return frozenset({*policy.people, *(f"{GROUP_PREFIX}{group}" for group in groups if group is not None)})


def approval_of(event: CloudEvent, snapshot: Snapshot | None) -> ApprovalState | None:
    """The state of the event's approval; None when neither the snapshot nor the event has it."""
    if snapshot is None:
        return None
    approval_id = msgspec.json.decode(event.data, type=_ApprovalEvent).approval_id
    states = {state.approval_id: state for state in snapshot.approvals}
    if approval_id not in states and event.name == "approval.requested":
        # The projection may lag behind the event.
        states = {state.approval_id: state for state in fold(snapshot, event).approvals}
    return states.get(approval_id)


def is_obsolete(event: CloudEvent, state: ApprovalState | None, now: datetime) -> bool:
    """Whether the notification is of no use any more.

    One that asks for a decision is obsolete once there is an outcome; one about an outcome when it is older
    than any attempt can be, for example when notifications were switched on later.
    """
    if event.name in PENDING:
        return state is not None and state.status != "pending"
    return now - event.time > MAX_AGE + _LONGEST_BACKOFF


def notification_of(
    event: CloudEvent, state: ApprovalState | None, snapshot: Snapshot | None, *, origin: str
) -> Notification:
    """Describe an event of an approval.

    Args:
        origin: the address of the console, `https://signalbox.example.com`.
    """
    data = msgspec.json.decode(event.data, type=_ApprovalEvent)
    run, approval = quote(event.runid, safe=""), quote(data.approval_id, safe="")
    place = f"inbox/{run}/{approval}" if event.name in PENDING else f"runs/{run}"
    return Notification(
        id=event.id,
        event=event.name,
        tenant=event.tenantid,
        run_id=event.runid,
        run_title=snapshot.title if snapshot is not None and snapshot.title else event.runid,
        approval_id=data.approval_id,
        title=data.title or (state.title if state is not None else data.approval_id),
        at=event.time,
        url=f"{origin}/#/{place}",
        deadline_at=data.deadline_at or (state.deadline_at if state is not None else None),
        decided_by=data.decided_by,
        handed_to=data.to or (state.handed_to if state is not None else None),
        subject=snapshot.subject if snapshot is not None else None,
        outcome=data.outcome,
    )
