"""The policy of a task queue: the drain target, the limits and the cost."""

from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Struct

from signalbox_core.patterns import whole

_Seconds = Annotated[float, Meta(gt=0, le=604_800)]
_Count = Annotated[int, Meta(ge=1, le=10_000)]


class ScalingPolicy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one task queue is sized. Durations are seconds.

    Attributes:
        slo_s: a backlog should be drained within this time.
        slots_per_worker: concurrent activities of one burst worker.
        efficiency_floor: the share of its paid life that a burst worker should spend working; the drain
            target is extended until it is reached.
        max_workers: burst workers alive or starting.
        max_launches_per_tick, max_launches_per_minute: in workers, not in requests.
        workers_per_launch: workers per request to the provider; a launch can only be cancelled as a whole.
        cold_start_s: from the request to the first activity, until the real value has been learned.
        idle_exit_s: a burst worker that has been idle for this long exits.
        max_lifetime_s: a burst worker of this age exits; its cost is reserved for this time.
        pending_timeout_s: a launch without a worker counts as capacity for this long (or three cold starts),
            and is cancelled then.
        max_rate_per_s: activities per second that the system behind the queue allows; None: what Temporal
            reports.
        learns_saturation: launch no more workers once additional slots bring no throughput. Activities of
            very different durations on one queue can look like saturation: switch it off there, or use one
            queue per kind.
        budget_per_hour, budget_per_day: what launches may cost, in `currency`; None: no limit.
        price_per_worker_s: price of one burst worker per second, in `currency`.
        heartbeat_s: the workers' heartbeat interval. A worker that missed three is considered dead, whatever
            the server reports.
        breaker_launches: consecutive launches without a worker that open the circuit breaker; no launches are
            made for `breaker_hold_s` then.
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
        """The money to reserve before launching `workers`: the cost of their maximum lifetime."""
        return self.price_per_worker_s * Decimal(str(self.max_lifetime_s)) * workers
