"""Decides from Temporal's facts whether an open run is blocked, queued or neither. Pure."""

import re
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Literal

from msgspec import Struct

from signalbox_core.events.snapshot import BlockedState, QueuedState

WAITING_AFTER: Final = timedelta(seconds=5)
"""A task that has been waiting this long is reported. Normally a worker takes it within milliseconds."""
UNSERVED_AFTER: Final = timedelta(seconds=15)
"""A backlog this old from which no task is taken has no worker, although Temporal still lists its pollers:
the server lists a poller for minutes after its process is gone."""
NO_WORKER: Final = "no_worker"
QueueKind = Literal["workflow", "activity"]
_MAX_CHARS: Final = 1_000
_FRAME: Final = re.compile(r'File "([^"]+)", line (\d+), in (\S+)')
_LIBRARY: Final = re.compile(r"/(site-packages|temporalio|signalbox_core|asyncio|contextlib\.py)")


class WaitState(StrEnum):
    """What an open run's pending work amounts to."""

    PROCEEDS = "proceeds"
    FAILS = "fails"
    """Its workflow task failed, and Temporal retries it."""
    WAITS = "waits"
    """A task waits for a worker."""


class PendingWork(Struct, frozen=True, kw_only=True):
    """The pending work of an open run.

    Attributes:
        attempt: of the pending workflow task; 0 when none is pending.
        since: when the pending workflow task was scheduled first.
        is_started: a worker has taken the pending workflow task.
        activities_since: when the activity that has been waiting longest for a worker was scheduled; None
            when an activity is running, or none is pending.
        activity_queue: that activity's task queue.
    """

    workflow_id: str
    run_id: str
    tenant: str
    pipeline: str
    task_queue: str
    attempt: int = 0
    since: datetime | None = None
    is_started: bool = False
    activities_since: datetime | None = None
    activity_queue: str = ""


class TaskFailure(Struct, frozen=True, kw_only=True):
    """Why the workflow task failed last. `cause`: Temporal's, in lower case (`non_deterministic_error`)."""

    cause: str
    message: str
    stack_trace: str
    at: datetime


class QueueFacts(Struct, frozen=True, kw_only=True):
    """A task queue: `backlog` in tasks, its oldest age, and whether tasks are being taken from it."""

    has_pollers: bool
    backlog: int
    backlog_age: timedelta
    is_served: bool


def wait_state(work: PendingWork, now: datetime) -> WaitState:
    if work.attempt > 1:
        return WaitState.FAILS
    return WaitState.PROCEEDS if waiting_queue(work, now) is None else WaitState.WAITS


def waiting_queue(work: PendingWork, now: datetime) -> tuple[str, QueueKind] | None:
    """The queue in which a task of the run has been waiting for longer than `WAITING_AFTER`."""
    if work.attempt:
        is_late = not work.is_started and work.since is not None and now - work.since > WAITING_AFTER
        return (work.task_queue, "workflow") if is_late else None
    if work.activities_since is not None and now - work.activities_since > WAITING_AFTER:
        return work.activity_queue, "activity"
    return None


def failure_condition(failure: TaskFailure, step: str | None) -> BlockedState:
    """The condition of a run whose workflow task fails."""
    code = failure_code(failure)
    where = f" in step {step}" if step else ""
    line = failing_line(failure.stack_trace)
    place = f"{where} at {line}" if line else where
    message = failure.message.strip()[:_MAX_CHARS]
    match code:
        case "non_determinism":
            reason = (
                f"the workflow code does not match the run's history{place}: {message}. Deploy the earlier"
                " code, or guard the change with workflow.patched"
            )
        case "deadlock":
            reason = (
                f"the workflow code did not yield in time{place}: {message}. Move blocking work into an"
                " activity, and deploy the fix"
            )
        case "task_timeout":
            reason = (
                f"a worker took the workflow task{where} and did not complete it in time. Look for blocking"
                " workflow code, or for an overloaded or killed worker"
            )
        case _:
            reason = f"the workflow code failed{place}: {message}. The run continues once a fix is deployed"
    return BlockedState(code=code, reason=reason, since=failure.at)


def failure_code(failure: TaskFailure) -> str:
    if failure.cause == "non_deterministic_error":
        return "non_determinism"
    if failure.cause == "timed_out":
        return "task_timeout"
    return "deadlock" if "deadlock" in failure.message.lower() else "workflow_error"


def failing_line(stack_trace: str) -> str | None:
    """The innermost line of the pipeline's own code in a stack trace: `workflow.py:39 (run)`."""
    own = [found for found in _FRAME.findall(stack_trace) if not _LIBRARY.search(found[0])]
    if not own:
        return None
    path, line, function = own[-1]
    return f"{path.rpartition('/')[2]}:{line} ({function})"


def queue_condition(
    queue: str, kind: QueueKind, facts: QueueFacts, since: datetime
) -> BlockedState | QueuedState:
    """The condition of a run one of whose tasks waits in a queue."""
    is_unserved = not facts.is_served and facts.backlog_age > UNSERVED_AFTER
    if not facts.has_pollers or is_unserved:
        reason = f"no worker takes {kind} tasks from the queue {queue}; start workers for it"
        return BlockedState(code=NO_WORKER, reason=reason, since=since)
    ahead = max(facts.backlog - 1, 0)
    reason = f"waits for a free worker of the queue {queue}; about {ahead} {kind} tasks are waiting with it"
    return QueuedState(ahead=ahead, reason=reason, since=since)
