"""The words of the control law: what is wanted, what is seen, what is kept between two looks, what is done. Values only.

Durations are seconds in fields that end in `_s`: the law computes with them. Instants are aware UTC, money is Decimal.
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta, Struct

FORMAT: Final = 1
"""The version of what is logged; a reader refuses a later one."""

_Seconds = Annotated[float, Meta(gt=0, le=604_800)]
_Count = Annotated[int, Meta(ge=1, le=10_000)]


class Policy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is wanted of one task queue, and what it may cost.

    Attributes:
        slo_s: a backlog should be drained within this time.
        slots_per_worker: activities that one burst worker runs at once.
        efficiency_floor: the share of a burst worker's paid life that shall be work; the drain time grows until it is reached.
        max_workers: burst workers alive or on their way at once.
        max_launches_per_tick, max_launches_per_minute: workers, not requests.
        workers_per_launch: workers of one request to the provider; it can only be cancelled as a whole.
        cold_start_s: from the request to the first activity, until it has been seen and is learned.
        idle_exit_s: a burst worker without work leaves after this time by itself.
        max_lifetime_s: a burst worker leaves at this age; what is reserved from the budgets before its launch.
        pending_timeout_s: a launch counts as capacity for this long (or three cold starts); then it is cancelled.
        max_rate_per_s: activities a second that the thing behind the queue allows; None: what Temporal reports.
        budget_per_hour, budget_per_day: what launches may cost, in `currency`; None: no limit.
        price_per_worker_s: of one burst worker, in `currency`.
        heartbeat_s: between two heartbeats of a worker; one that missed three is gone, whatever the server says.
        breaker_launches: launches in a row of which no worker ever polls, after which none are made for `breaker_hold_s`.
        dry_run: decide and record, launch nothing.
    """

    slo_s: _Seconds = 60.0
    slots_per_worker: Annotated[int, Meta(ge=1, le=2_500)] = 50
    efficiency_floor: Annotated[float, Meta(ge=0.1, le=0.95)] = 0.5
    max_workers: Annotated[int, Meta(ge=0, le=10_000)] = 100
    max_launches_per_tick: _Count = 20
    max_launches_per_minute: _Count = 60
    workers_per_launch: Annotated[int, Meta(ge=1, le=10)] = 5
    cold_start_s: _Seconds = 20.0
    idle_exit_s: _Seconds = 15.0
    max_lifetime_s: _Seconds = 3_600.0
    pending_timeout_s: _Seconds = 60.0
    max_rate_per_s: Annotated[float, Meta(gt=0)] | None = None
    budget_per_hour: Decimal | None = None
    budget_per_day: Decimal | None = None
    price_per_worker_s: Decimal = Decimal("0.000040")
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$")] = "USD"
    heartbeat_s: Annotated[float, Meta(gt=0, le=60)] = 5.0
    breaker_launches: Annotated[int, Meta(ge=1, le=100)] = 3
    breaker_hold_s: _Seconds = 300.0
    dry_run: bool = False

    def reserve(self, workers: int) -> Decimal:
        """What is set aside for `workers` before they are launched: the most that they can cost."""
        return self.price_per_worker_s * Decimal(str(self.max_lifetime_s)) * workers


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


class Sample(Struct, frozen=True, array_like=True):
    """One look, as far as the next ones need it.

    Attributes:
        backlog, used: activities that wait and that run; done: finished since the look before; capacity: slots that take work.
    """

    at: datetime
    backlog: int
    used: int
    done: int
    capacity: int


class Rise(Struct, frozen=True, kw_only=True):
    """A step up in capacity whose effect on throughput is being measured.

    Attributes:
        began_at, changed_at: when the first slots came, when the last.
        capacity, service_s: slots, and seconds of an activity, before the first of these steps.
    """

    began_at: datetime
    changed_at: datetime
    capacity: int
    service_s: float


class Foreseen(Struct, frozen=True, kw_only=True):
    """What the first launch for a backlog foresaw: from when, and in how many seconds the backlog would be gone."""

    at: datetime
    drain_s: float


class State(Struct, frozen=True, kw_only=True):
    """What the law carries from one look to the next. Serialisable; a new leader may begin with an empty one.

    Attributes:
        tick: how many looks there were.
        samples: the last 120 s of looks, oldest first.
        processed: the last counter of each worker seen.
        busy_s, finished: slot-seconds worked and activities finished, both fading; their quotient is `service_s`.
        busy_since: when the workers last had nothing to do.
        arrivals_per_s: average over about 300 s; None until there are two looks.
        service_s: seconds that one activity takes; None until some were finished. service_min_s: the same, at its best.
        cold_start_s: learned; None until a launch was seen to poll.
        joined: how many workers of an open launch were ever seen; settled: launches already counted as failed or never polling.
        launched: (when, workers) of the last minute.
        surplus_ticks: looks in a row with more capacity than needed.
        probing_since, probes: when a backlog that may be phantom was last probed, and how often without any sign of work.
        flat_since: since when a backlog waits while nothing is finished and nothing runs.
        zombies: launches in a row of which no worker polled; errors: that the provider refused.
        held_until, held_by: no launches before it, and why.
        saturated_at, saturated_slots: when more slots last failed to bring more throughput, and how many suffice.
        saturated_service_s: seconds of an activity before that, which it must be again with so many slots.
        rise: a step up in capacity that is being measured.
        foreseen: of the backlog that is being worked off, since workers were launched for it.
    """

    tick: int = 0
    samples: tuple[Sample, ...] = ()
    processed: dict[str, int] = {}
    busy_s: float = 0.0
    finished: float = 0.0
    busy_since: datetime | None = None
    arrivals_per_s: float | None = None
    service_s: float | None = None
    service_min_s: float | None = None
    cold_start_s: float | None = None
    joined: dict[str, int] = {}
    settled: frozenset[str] = frozenset()
    launched: tuple[tuple[datetime, int], ...] = ()
    surplus_ticks: int = 0
    probing_since: datetime | None = None
    probes: int = 0
    flat_since: datetime | None = None
    zombies: int = 0
    errors: int = 0
    held_until: datetime | None = None
    held_by: str = ""
    saturated_at: datetime | None = None
    saturated_slots: int = 0
    saturated_service_s: float = 0.0
    rise: Rise | None = None
    foreseen: Foreseen | None = None


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
