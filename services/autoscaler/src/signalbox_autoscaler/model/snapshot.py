"""What was observed of one task queue: its backlog, its workers, its launches, the money left."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

from msgspec import Struct


class WorkerSeen(Struct, frozen=True, kw_only=True):
    """A worker as of its last heartbeat.

    Attributes:
        slots: activities it can run concurrently; used: those it runs now; processed: completed since it
            started.
        launch_id: the launch that started it; burst workers only.
        started_at: when the process started; burst workers only, and None in older records.
        retiring: it is draining, or was requested to: it takes no new work.
    """

    identity: str
    slots: int
    used: int
    processed: int
    heartbeat_at: datetime
    is_burst: bool = False
    launch_id: str | None = None
    started_at: datetime | None = None
    retiring: bool = False


class LaunchState(StrEnum):
    """The life cycle of a launch; the last three states are final."""

    INTENDED = "intended"  # in the ledger; not requested yet, or the provider's answer is unknown
    REQUESTED = "requested"  # the provider accepted it
    RUNNING = "running"  # at least one of its workers sent a heartbeat
    ENDED = "ended"
    FAILED = "failed"  # not reserved, refused by the provider, or every worker failed before a heartbeat
    CANCELLED = "cancelled"


OPEN: Final = frozenset({LaunchState.INTENDED, LaunchState.REQUESTED, LaunchState.RUNNING})


class Launch(Struct, frozen=True, kw_only=True):
    """One request for burst workers. It is in the launch ledger before it is sent, so that the next leader
    can adopt it.

    Attributes:
        launch_id: 1 to 63 characters of a-z, 0-9 and -, a valid name with every provider.
        workers: requested by this launch; slots: of each worker.
        eta_at: when its workers are expected to take their first activity.
        handle: the provider's name for it, once known.
        epoch: of the leader that decided on it.
        reserved: the money reserved for it.
    """

    launch_id: str
    queue: str
    workers: int
    slots: int
    requested_at: datetime
    eta_at: datetime
    state: LaunchState = LaunchState.INTENDED
    handle: str | None = None
    epoch: int = 0
    reserved: Decimal = Decimal(0)
    error: str | None = None


class Spending(Struct, frozen=True, kw_only=True):
    """Money reserved or spent in the current hour and day (UTC), by queue."""

    hour: Mapping[str, Decimal]
    day: Mapping[str, Decimal]


class QueueSnapshot(Struct, frozen=True, kw_only=True):
    """One observation of one task queue: everything that is observed for a decision.

    Attributes:
        activities, workflow_tasks: approximate number of tasks waiting for a worker.
        oldest_s: the age of the oldest waiting activity task.
        workers: every worker that Temporal lists.
        hint_remaining: activities that running workflows have yet to schedule; not part of `activities`.
        hint_max_in_flight: the workflows' combined limit of concurrent activities; None: unknown.
        hint_max_rate_per_s: the workflows' combined limit of activities started per second; None: unknown.
        effective_rate_per_s: Temporal's rate limit of the queue; None: no limit.
        rate_limiting_active: whether that limit delays tasks now.
        launches: open launches, and those that failed or ended since the last tick.
        backlog_stale, workers_stale, hints_stale: that part could not be refreshed in time. With a stale
            backlog or stale workers the decision is to hold; stale hints are ignored.
        hour_left, day_left: what remains of the budgets after reservations; None: no budget.
    """

    queue: str
    taken_at: datetime
    activities: int = 0
    workflow_tasks: int = 0
    oldest_s: float = 0.0
    workers: tuple[WorkerSeen, ...] = ()
    hint_remaining: int = 0
    hint_max_in_flight: int | None = None
    hint_max_rate_per_s: float | None = None
    effective_rate_per_s: float | None = None
    rate_limiting_active: bool = False
    launches: tuple[Launch, ...] = ()
    backlog_stale: bool = False
    workers_stale: bool = False
    hints_stale: bool = False
    hour_left: Decimal | None = None
    day_left: Decimal | None = None
