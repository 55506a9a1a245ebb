"""The ladder of a question: recorded with it, so that replay takes the rungs that the history has."""

from datetime import datetime
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from signalbox_core.events.approval_data import (
    ApprovalHandedOver,
    ApprovalReminded,
    ApprovalRequested,
    LadderRung,
)
from signalbox_core.pipeline.contract.ladder import (
    Default,
    Delegate,
    Escalate,
    Ladder,
    Remind,
    hand_over,
)
from signalbox_core.pipeline.workflow.asked_question import AskedQuestion
from signalbox_core.pipeline.workflow.state import RunState

_EVENTS: Final = {"delegate": "approval.delegated", "escalate": "approval.escalated"}


def rungs_before(
    ladder: Ladder, asked_at: datetime, deadline_at: datetime
) -> tuple[LadderRung, ...] | UnsetType:
    """Return the rungs of a question that come before its deadline; UNSET without a ladder."""
    if not ladder:
        return UNSET
    rungs = (_rung(item, asked_at + item.after) for item in ladder)
    return tuple(rung for rung in rungs if rung is not None and rung.at < deadline_at)


def default_answer_of(ladder: Ladder) -> msgspec.Raw | UnsetType:
    """Return the answer of the ladder's `Default`."""
    last = ladder[-1] if ladder else None
    return msgspec.Raw(msgspec.json.encode(last.answer)) if isinstance(last, Default) else UNSET


def recorded_rungs(requested: ApprovalRequested, now: datetime) -> tuple[LadderRung, ...]:
    """Return the rungs of a question: those of its ladder, or one reminder at half the remaining time."""
    if isinstance(requested.ladder, UnsetType):
        remaining = (requested.deadline_at or now) - now
        return (LadderRung(kind="remind", at=now + remaining / 2),)
    return requested.ladder


def take_rung(state: RunState, asked: AskedQuestion, rung: LadderRung) -> None:
    """Record the event of a rung. With a policy, its target may decide from now on.

    The policy that is in force when a vote arrives determines the outcome.
    """
    if rung.to is None:
        reminded = ApprovalReminded(approval_id=asked.approval_id, deadline_at=asked.deadline_at)
        state.record_event("approval.reminded", reminded)
        return
    if not asked.policy.is_default:
        asked.handed_policy = hand_over(asked.policy, rung.to)
    data = ApprovalHandedOver(
        approval_id=asked.approval_id,
        to=rung.to,
        deadline_at=asked.deadline_at,
        policy=asked.handed_policy if asked.handed_policy is not None else UNSET,
    )
    state.record_event(_EVENTS[rung.kind], data)


def _rung(item: object, at: datetime) -> LadderRung | None:
    match item:
        case Remind():
            return LadderRung(kind="remind", at=at)
        case Delegate(to=to):
            return LadderRung(kind="delegate", at=at, to=to)
        case Escalate(to=to):
            return LadderRung(kind="escalate", at=at, to=to)
    return None
