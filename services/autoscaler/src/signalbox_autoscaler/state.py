"""What the law carries from one look at a task queue to the next. Values only."""

from datetime import datetime

from msgspec import Struct


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
