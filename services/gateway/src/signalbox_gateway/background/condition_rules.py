"""Decides from Temporal's facts whether an open run is blocked, queued or neither. Pure."""

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
        build: the build of the workers that the run is pinned to; empty: it is not pinned.
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
    build: str = ""
    attempt: int = 0
    since: datetime | None = None
    is_started: bool = False
    activities_since: datetime | None = None
    activity_queue: str = ""


class WaitingQueue(Struct, frozen=True):
    """Where a task of a run waits. `build`: the only one whose workers may take it; empty: any."""

    name: str
    kind: QueueKind
    build: str = ""


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


def waiting_queue(work: PendingWork, now: datetime) -> WaitingQueue | None:
    """The queue in which a task of the run has been waiting for longer than `WAITING_AFTER`."""
    if work.attempt:
        is_late = not work.is_started and work.since is not None and now - work.since > WAITING_AFTER
        return WaitingQueue(work.task_queue, "workflow", work.build) if is_late else None
    if work.activities_since is not None and now - work.activities_since > WAITING_AFTER:
        # Activities in the queues of other workers are not pinned.
        build = work.build if work.activity_queue == work.task_queue else ""
        return WaitingQueue(work.activity_queue, "activity", build)
    return None


def queue_condition(waiting: WaitingQueue, facts: QueueFacts, since: datetime) -> BlockedState | QueuedState:
    """The condition of a run one of whose tasks waits in a queue."""
    queue, kind = waiting.name, waiting.kind
    is_unserved = not facts.is_served and facts.backlog_age > UNSERVED_AFTER
    if not facts.has_pollers or is_unserved:
        worker = (
            f"worker of build {waiting.build}, to which the run is pinned," if waiting.build else "worker"
        )
        reason = f"no {worker} takes {kind} tasks from the queue {queue}; start workers for it"
        return BlockedState(code=NO_WORKER, reason=reason, since=since)
    ahead = max(facts.backlog - 1, 0)
    reason = f"waits for a free worker of the queue {queue}; about {ahead} {kind} tasks are waiting with it"
    return QueuedState(ahead=ahead, reason=reason, since=since)
