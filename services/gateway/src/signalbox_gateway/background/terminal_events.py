"""What to do about a run that Temporal closed and whose stream does not say so. Pure."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec
from msgspec.structs import replace

from signalbox_core.events import CloudEvent, Snapshot, full_type
from signalbox_core.events.catalogue import Failure, RunCancelled, RunClosed, RunCompleted, RunFailed
from signalbox_core.events.snapshot import ENDED
from signalbox_core.ids import derived_id
from signalbox_gateway.runs.overdue import DELIVERY_TIMEOUT
from signalbox_gateway.runs.temporal import Described

GRACE: Final = timedelta(seconds=1.5)
"""A run that ended by itself tells so within this time, normally. With the time until Temporal lists a closed run, and the pause
between two rounds, the end of one that cannot tell is in its stream within 5 s."""


class Action(StrEnum):
    WAIT = "wait"
    REBUILD = "rebuild"
    """From the workflow's own snapshot, which has its end."""
    CLOSE = "close"
    """With a terminal event of our own."""


def decide(run: Described, *, top: int, told: Snapshot | None, now: datetime) -> Action:
    """Choose, for a stream without a terminal event.

    Args:
        top: the stream's newest sequence; 0 when it has none.
        told: the workflow's own snapshot, if a worker could say.
    """
    if is_fresh(run, now):
        return Action.WAIT
    age = now - (run.ended_at or now)
    told_its_end = told is not None and told.status in ENDED
    if (told_its_end or _may_still_tell(run, top, told)) and age < DELIVERY_TIMEOUT:
        return Action.WAIT
    return Action.REBUILD if told_its_end else Action.CLOSE


def is_fresh(run: Described, now: datetime) -> bool:
    """Closed so shortly ago that nothing is late yet."""
    return now - (run.ended_at or now) < GRACE


def _may_still_tell(run: Described, top: int, told: Snapshot | None) -> bool:
    """Whether workflow code saw the end. It did not at a termination or timeout, nor when it could not even be built (bad input)."""
    if told is not None or run.status in ("terminated", "timed_out"):
        return False
    return run.status != "failed" or top > 0


def opening(run: Described, bare: Snapshot) -> Snapshot:
    """The base of a stream for a run that never said anything: what Temporal knows, not ended yet."""
    return replace(
        bare,
        status="running",
        started_at=run.started_at,
        started_by=run.started_by,
        ended_at=None,
        error=None,
        sequence=0,
    )


def terminal_event(run: Described, sequence: int, outcome: msgspec.Raw | Failure | None) -> CloudEvent:
    """The event that the run could not send.

    Args:
        outcome: the result's JSON of a completed run; otherwise why it ended.
    """
    reason = outcome.message if isinstance(outcome, Failure) else None
    data: msgspec.Struct
    match run.status:
        case "completed":
            data = RunCompleted(
                result=msgspec.Raw(b"null") if outcome is None or isinstance(outcome, Failure) else outcome
            )
        case "failed":
            failure = (
                outcome
                if isinstance(outcome, Failure)
                else Failure(code="failed", message="the run failed; its cause is in Temporal")
            )
            data = RunFailed(error=failure)
        case "cancelled":
            data = RunCancelled(reason=reason)
        case _:
            data = RunClosed(reason=reason)
    name = f"run.{run.status}"
    return CloudEvent(
        id=derived_id(run.run_id, name, str(sequence)),
        source="/signalbox/gateway",
        type=full_type(name),
        time=run.ended_at or run.started_at,
        subject=run.run_id,
        tenantid=run.tenant,
        runid=run.run_id,
        sequence=sequence,
        data=msgspec.Raw(msgspec.json.encode(data)),
    )
