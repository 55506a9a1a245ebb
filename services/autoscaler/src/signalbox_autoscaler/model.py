"""The words of the control law: what is wanted and kept (from modules of their own), what is seen, what is done. Values only.

Durations are seconds in fields that end in `_s`: the law computes with them. Instants are aware UTC, money is Decimal.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

from msgspec import Struct

from signalbox_autoscaler.policy import Policy
from signalbox_autoscaler.state import Foreseen, Rise, Sample, State

__all__ = [
    "FORMAT",
    "OPEN",
    "Action",
    "Binding",
    "Decision",
    "DecisionRecord",
    "Foreseen",
    "Launch",
    "LaunchState",
    "Policy",
    "Rise",
    "Sample",
    "Snapshot",
    "State",
    "Terms",
    "WorkerSeen",
]

FORMAT: Final = 1
"""The version of what is logged; a reader refuses a later one."""


class WorkerSeen(Struct, frozen=True, kw_only=True):
    """A worker by its last heartbeat.

    Attributes:
        launch_id: of a burst worker.
        slots: activities it can run at once; used: that it runs now; processed: since it began.
        retiring: told to drain, or draining by itself: it takes no new work.
    """

    identity: str
    slots: int
    used: int
    processed: int
    heartbeat_at: datetime
    is_burst: bool = False
    launch_id: str | None = None
    retiring: bool = False


class LaunchState(StrEnum):
    """Where a launch is; the last three are ends."""

    INTENDED = "intended"  # written down, not yet asked of the provider (or its answer is unknown)
    REQUESTED = "requested"  # the provider took it
    RUNNING = "running"  # a worker of it was seen
    ENDED = "ended"
    FAILED = "failed"  # the provider refused it
    CANCELLED = "cancelled"


OPEN: Final = frozenset({LaunchState.INTENDED, LaunchState.REQUESTED, LaunchState.RUNNING})


class Launch(Struct, frozen=True, kw_only=True):
    """An intent to have burst workers: written down before the provider is asked, adopted by the next leader.

    Attributes:
        launch_id: 1–63 of a-z, 0-9 and -; a name in every provider.
        workers: of this request; slots: of each.
        eta_at: when its workers should take their first activity.
        handle: the provider's name of it, once known.
        epoch: of the leader that meant it.
        reserved: money set aside for it.
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


class Spent(Struct, frozen=True, kw_only=True):
    """Reserved or spent in the present hour and day (UTC), per queue."""

    hour: Mapping[str, Decimal]
    day: Mapping[str, Decimal]


class Snapshot(Struct, frozen=True, kw_only=True):
    """One look at one task queue.

    Attributes:
        activities, workflow_tasks: approximate tasks that wait for a worker.
        oldest_s: how long the oldest of them has waited.
        workers: every worker whose heartbeat is fresh.
        hint_remaining: items that running workflows have still to schedule; not counted in `activities`.
        hint_max_in_flight: how many of those the workflows keep in flight at most, together; None: unknown.
        hint_max_rate_per_s: how many a second they will start at most, together; None: unknown.
        effective_rate_per_s: the limit Temporal puts on the queue; None: none.
        rate_limiting_active: whether that limit holds tasks back now.
        launches: open ones, and those that failed or ended since the last look.
        backlog_stale, workers_stale, hints_stale: that part is older than it should be; the law then holds.
        hour_left, day_left: what budgets still allow, reservations deducted; None: no limit.
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


class Action(StrEnum):
    """What a decision does; `hold` is nothing."""

    HOLD = "hold"
    LAUNCH = "launch"
    PROBE = "probe"
    RETIRE = "retire"
    CANCEL = "cancel"


class Binding(StrEnum):
    """The constraint that set the number of launches."""

    NONE = "none"  # the need itself
    DRAINS = "drains"  # the workers there are will do it in time
    TOO_SHORT = "too_short"  # over before a new worker could help
    RUNNING_WORK = "running_work"  # not more at once than there is
    IN_FLIGHT = "in_flight"  # the workflows keep no more in flight
    RATE_LIMIT = "rate_limit"
    SATURATION = "saturation"
    PROBE = "probe"
    STALE = "stale"
    MAX_WORKERS = "max_workers"
    PER_TICK = "per_tick"
    PER_MINUTE = "per_minute"
    HOUR_BUDGET = "hour_budget"
    DAY_BUDGET = "day_budget"
    BREAKER = "breaker"
    BACK_OFF = "back_off"
    FROZEN = "frozen"  # the autoscaler is not the leader, or Temporal or Redis is away


class Terms(Struct, frozen=True, kw_only=True):
    """Every number of the formula, as it was used.

    Attributes:
        backlog, hint: tasks; service_s: seconds each; arrivals_per_s, rate_per_s: in and out.
        capacity: slots that take work; used: of them; pending: slots on their way.
        target_s: the time to drain in (T*); cold_start_s (L); overhead_s: paid and idle per worker (O).
        work_s: slot-seconds to do; covered_s: that present and coming workers do within the target.
        drain_s: how long the workers there are would take; None: for ever.
        need: workers before any ceiling; ceiling: slots that are of use, None when unknown.
        wanted: workers after the ceilings, before caps and budgets.
    """

    backlog: int = 0
    hint: int = 0
    service_s: float = 0.0
    arrivals_per_s: float = 0.0
    rate_per_s: float = 0.0
    capacity: int = 0
    used: int = 0
    pending: int = 0
    target_s: float = 0.0
    cold_start_s: float = 0.0
    overhead_s: float = 0.0
    work_s: float = 0.0
    covered_s: float = 0.0
    drain_s: float | None = None
    need: int = 0
    ceiling: int | None = None
    wanted: int = 0
    workers: int = 0
    surplus: int = 0
    reserve: Decimal = Decimal(0)


class Decision(Struct, frozen=True, kw_only=True):
    """What to do now.

    Attributes:
        launches: intents to write and carry out, in this order.
        retire: identities of workers that shall drain and leave.
        cancel: launch ids to cancel: no worker of them ever polled.
        binding: the constraint that set the number of launches.
        state: to be given to the next call.
        predicted_drain_s: when the backlog should be gone with these launches; None: not foreseeable.
        drained_s, foreseen_s: when the backlog that workers were launched for is gone: after how long, and how long was foreseen.
    """

    action: Action
    binding: Binding
    terms: Terms
    state: State
    launches: tuple[Launch, ...] = ()
    retire: tuple[str, ...] = ()
    cancel: tuple[str, ...] = ()
    predicted_drain_s: float | None = None
    drained_s: float | None = None
    foreseen_s: float | None = None

    @property
    def workers(self) -> int:
        """Workers of all launches."""
        return sum(launch.workers for launch in self.launches)


class DecisionRecord(Struct, frozen=True, kw_only=True):
    """One tick over one queue, complete enough to be decided again.

    Attributes:
        state: what `decide` was given; only in records that begin a stretch (None: the state that the record before led to).
        sentence: what was done and why, for people.
        spent_hour, spent_day: money reserved or spent, as the ledger has it after this decision.
    """

    at: datetime
    queue: str
    epoch: int
    policy: Policy
    snapshot: Snapshot
    action: Action
    binding: Binding
    terms: Terms
    sentence: str
    launches: tuple[Launch, ...] = ()
    retire: tuple[str, ...] = ()
    cancel: tuple[str, ...] = ()
    predicted_drain_s: float | None = None
    drained_s: float | None = None
    foreseen_s: float | None = None
    state: State | None = None
    dry_run: bool = False
    spent_hour: Decimal | None = None
    spent_day: Decimal | None = None
    format: int = FORMAT
