"""What is wanted of a task queue, and what it may cost. Values only; durations are seconds in fields that end in `_s`."""

from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Struct

from signalbox_core.patterns import whole

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
        learns_saturation: hold back when more slots brought no more throughput. Work of very unlike durations on one queue can look so:
            switch it off there, or give the kinds of work queues of their own.
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
    learns_saturation: bool = True
    budget_per_hour: Decimal | None = None
    budget_per_day: Decimal | None = None
    price_per_worker_s: Decimal = Decimal("0.000040")
    currency: Annotated[str, Meta(pattern=whole(r"[A-Z]{3}"))] = "USD"
    heartbeat_s: Annotated[float, Meta(gt=0, le=60)] = 5.0
    breaker_launches: Annotated[int, Meta(ge=1, le=100)] = 3
    breaker_hold_s: _Seconds = 300.0
    dry_run: bool = False

    def reserve(self, workers: int) -> Decimal:
        """What is set aside for `workers` before they are launched: the most that they can cost."""
        return self.price_per_worker_s * Decimal(str(self.max_lifetime_s)) * workers
