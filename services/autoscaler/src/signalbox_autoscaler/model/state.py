"""What the sizing algorithm carries from one tick to the next, per task queue."""

from datetime import datetime

from msgspec import Struct


class LoadSample(Struct, frozen=True, array_like=True):
    """The load in one tick.

    Attributes:
        backlog, used: waiting and running activities; done: completed since the previous tick.
        capacity: slots that take work.
    """

    at: datetime
    backlog: int
    used: int
    done: int
    capacity: int


class CapacityStep(Struct, frozen=True, kw_only=True):
    """An increase of capacity whose effect on throughput is being measured.

    Attributes:
        began_at, changed_at: when the first and the last slots were added.
        capacity, service_s: slots, and seconds per activity, before the increase.
    """

    began_at: datetime
    changed_at: datetime
    capacity: int
    service_s: float


class DrainForecast(Struct, frozen=True, kw_only=True):
    """The drain time predicted at the first launch for a backlog."""

    at: datetime
    drain_s: float


class SizingState(Struct, frozen=True, kw_only=True):
    """What is carried from one tick to the next. Serializable; a new leader starts with an empty one.

    Attributes:
        tick: number of ticks so far.
        samples: of the last 120 s, oldest first.
        processed: each worker's last counter of completed activities.
        busy_s, finished: slot-seconds worked and activities completed, both decaying; `service_s` is their
            ratio.
        busy_since: the start of the current stretch without an idle tick; None: the workers are idle.
        arrivals_per_s: moving average over about 300 s; None until there are two ticks.
        service_s: seconds per activity; None until some completed. service_min_s: the same, without
            contention.
        cold_start_s: learned; None until a launched worker sent a heartbeat.
        joined: number of workers seen of each open launch.
        settled: launches already counted as failed or as never having polled.
        launched: (time, workers) of the launches of the last minute.
        surplus_ticks: consecutive ticks with more capacity than needed.
        probing_since, probes: when an unproven backlog was last probed, and how often without any sign of
            work.
        flat_since: since when a backlog has waited while nothing ran or completed.
        zombies: consecutive launches without a worker; errors: consecutive launches that the provider
            refused.
        held_until, held_by: no launches before that time, and the reason.
        saturated_at, saturated_slots: when more slots last failed to raise the throughput, and how many
            suffice.
        saturated_service_s: seconds per activity before that; expected again with that many slots.
        rise: the increase of capacity that is being measured.
        foreseen: the forecast for the current backlog, once workers were launched for it.
    """

    tick: int = 0
    samples: tuple[LoadSample, ...] = ()
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
    rise: CapacityStep | None = None
    foreseen: DrainForecast | None = None
