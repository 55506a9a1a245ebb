"""A scaling decision: what to do, the numbers it follows from, and its record in the decision log."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

from msgspec import Struct

from signalbox_autoscaler.model.policy import ScalingPolicy
from signalbox_autoscaler.model.snapshot import Launch, QueueSnapshot
from signalbox_autoscaler.model.state import SizingState

FORMAT: Final = 1
"""The version of the record format; a reader refuses a newer one."""


class ScalingAction(StrEnum):
    """The main effect of a decision."""

    HOLD = "hold"  # nothing
    LAUNCH = "launch"
    PROBE = "probe"
    RETIRE = "retire"
    CANCEL = "cancel"


class Binding(StrEnum):
    """The constraint that determined the number of workers to launch."""

    NONE = "none"  # no constraint: the need itself
    DRAINS = "drains"  # the present workers drain the backlog in time
    TOO_SHORT = "too_short"  # the backlog is gone before a new worker could help
    RUNNING_WORK = "running_work"  # no more slots than concurrent activities
    IN_FLIGHT = "in_flight"  # the workflows limit their concurrent activities
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


class SizingInputs(Struct, frozen=True, kw_only=True):
    """Every number of the sizing formula, with the value that was used.

    Attributes:
        backlog, hint: tasks that wait, and tasks still to be scheduled.
        service_s: seconds per activity (S); arrivals_per_s: tasks arriving; rate_per_s: activities completed.
        capacity: slots that take work; used: occupied slots; pending: slots of workers that are starting.
        target_s: the time to drain in (T*); cold_start_s: L; overhead_s: paid but idle time per worker (O).
        work_s: slot-seconds of work; covered_s: those that present and starting workers do within the target.
        drain_s: how long present and starting workers take; None: they never catch up.
        need: workers before any ceiling; ceiling: slots that can be used, None when it was not computed.
        wanted: workers after the ceilings, before caps and budgets.
        workers: burst workers alive or starting; surplus: slots that are not needed.
        reserve: money reserved for the launches of this decision.
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

    @property
    def has_work(self) -> bool:
        """Whether tasks wait or are still to be scheduled."""
        return self.backlog > 0 or self.hint > 0


class ScalingDecision(Struct, frozen=True, kw_only=True):
    """What to do about one queue now.

    Attributes:
        launches: to be requested, in this order.
        retire: identities of the workers to drain.
        cancel: ids of the launches to cancel: none of their workers ever sent a heartbeat.
        binding: the constraint that determined the number of launches.
        terms: the numbers of the formula.
        state: to be passed to the next call.
        predicted_drain_s: when the backlog should be drained, these launches included; None: unknown.
        drained_s, foreseen_s: set in the tick that finds the backlog drained: the time since the first launch
            for it, and the time that was predicted then.
    """

    action: ScalingAction
    binding: Binding
    terms: SizingInputs
    state: SizingState
    launches: tuple[Launch, ...] = ()
    retire: tuple[str, ...] = ()
    cancel: tuple[str, ...] = ()
    predicted_drain_s: float | None = None
    drained_s: float | None = None
    foreseen_s: float | None = None

    @property
    def workers(self) -> int:
        """The number of workers of all launches."""
        return sum(launch.workers for launch in self.launches)


class ScalingDecisionRecord(Struct, frozen=True, kw_only=True):
    """One decision with all inputs of `decide`, so that it can be recomputed.

    Attributes:
        state: the state `decide` was given; None: the one that the previous record of the queue resulted in.
        sentence: the explanation, for people.
        spent_hour, spent_day: money reserved or spent, read before this decision.
    """

    at: datetime
    queue: str
    epoch: int
    policy: ScalingPolicy
    snapshot: QueueSnapshot
    action: ScalingAction
    binding: Binding
    terms: SizingInputs
    sentence: str
    launches: tuple[Launch, ...] = ()
    retire: tuple[str, ...] = ()
    cancel: tuple[str, ...] = ()
    predicted_drain_s: float | None = None
    drained_s: float | None = None
    foreseen_s: float | None = None
    state: SizingState | None = None
    dry_run: bool = False
    spent_hour: Decimal | None = None
    spent_day: Decimal | None = None
    format: int = FORMAT
