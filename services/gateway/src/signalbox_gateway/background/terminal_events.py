"""What to do about a run that has ended in Temporal but whose stream has no terminal event. Pure."""

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
from signalbox_gateway.runs.run_info import RunInfo

GRACE: Final = timedelta(seconds=1.5)
"""A workflow normally publishes its end within this time.

If the workflow cannot publish it, the stream has the end within 5 s: this grace period, the delay of the
visibility store and the pause between rounds.
"""


class ReconcileAction(StrEnum):
    """What to do about an ended run's stream."""

    WAIT = "wait"
    REBUILD = "rebuild"
    """Replace the stream with the workflow's snapshot, which includes the end."""
    CLOSE = "close"
    """Append a terminal event."""


def reconcile_action(
    run: RunInfo, *, top: int, workflow_snapshot: Snapshot | None, now: datetime
) -> ReconcileAction:
    """Choose the action for a stream without a terminal event.

    Args:
        top: the stream's newest sequence; 0 when it has none.
        workflow_snapshot: None when no worker responded to the query.
    """
    if is_fresh(run, now):
        return ReconcileAction.WAIT
    age = now - (run.ended_at or now)
    has_end = workflow_snapshot is not None and workflow_snapshot.status in ENDED
    if (has_end or _may_still_publish(run, top, workflow_snapshot)) and age < DELIVERY_TIMEOUT:
        return ReconcileAction.WAIT
    return ReconcileAction.REBUILD if has_end else ReconcileAction.CLOSE


def is_fresh(run: RunInfo, now: datetime) -> bool:
    """Whether the run closed so recently that its end may still be in transit."""
    return now - (run.ended_at or now) < GRACE


def _may_still_publish(run: RunInfo, top: int, workflow_snapshot: Snapshot | None) -> bool:
    """Whether workflow code could run at the end.

    It cannot at a termination or timeout, nor when the workflow could not be instantiated (invalid input).
    """
    if workflow_snapshot is not None or run.status in ("terminated", "timed_out"):
        return False
    return run.status != "failed" or top > 0


def initial_snapshot(run: RunInfo, base: Snapshot) -> Snapshot:
    """The first snapshot of a stream for a run that published nothing: Temporal's facts, not ended yet."""
    return replace(
        base,
        status="running",
        started_at=run.started_at,
        started_by=run.started_by,
        starter=run.starter,
        ended_at=None,
        error=None,
        sequence=0,
    )


def terminal_event(run: RunInfo, sequence: int, outcome: msgspec.Raw | Failure | None) -> CloudEvent:
    """Build the terminal event that the workflow could not publish.

    Args:
        outcome: the result's JSON for a completed run; otherwise the failure.
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
                else Failure(
                    code="failed", message="the run failed; see its history in Temporal for the cause"
                )
            )
            data = RunFailed(error=failure)
        case "cancelled":
            data = RunCancelled(reason=reason)
        case _:
            data = RunClosed(reason=reason)
    name = f"run.{run.status}"
    return CloudEvent(
        id=derived_id(run.key, name, str(sequence)),
        source="/signalbox/gateway",
        type=full_type(name),
        time=run.ended_at or run.started_at,
        subject=run.run_id,
        tenantid=run.tenant,
        runid=run.run_id,
        sequence=sequence,
        data=msgspec.Raw(msgspec.json.encode(data)),
    )
