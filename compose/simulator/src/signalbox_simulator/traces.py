"""Traces: when batches of activities arrive, how long they take, and how many are kept in flight."""

import random
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from signalbox_autoscaler.model import ScalingDecisionRecord
from signalbox_core.errors import InvalidInput

_SERVICE_TIME_LAG: Final = 6


class ArrivalBatch(Struct, frozen=True, kw_only=True):
    """One arrival of activities.

    Attributes:
        at_s: when it arrives.
        durations_s: of its activities, in order.
        in_flight: how many activities are scheduled at the same time; None: all. Only a batch with a limit
            publishes hints.
        version: of the worker deployment, that its workflow is pinned to; a higher one is newer.
    """

    at_s: float
    durations_s: tuple[float, ...]
    in_flight: int | None = None
    version: int = 0


class Trace(Struct, frozen=True, kw_only=True):
    """A workload for one task queue.

    Attributes:
        base_slots: slots of the base workers.
        pace_per_s: rate limit of a system that the activities call; activities wait for it in their slots.
        limit_per_s: Temporal's rate limit of the queue; activities wait for it in the backlog.
        phantom: tasks of ended workflows in the initial backlog, which the first worker discards.
    """

    name: str
    batches: tuple[ArrivalBatch, ...]
    base_slots: int = 200
    pace_per_s: float | None = None
    limit_per_s: float | None = None
    phantom: int = 0

    @property
    def count(self) -> int:
        return sum(len(batch.durations_s) for batch in self.batches)

    @property
    def work_s(self) -> float:
        """Slot-seconds."""
        return sum(sum(batch.durations_s) for batch in self.batches)


def seconds(rng: random.Random, count: int, *, mean_s: float = 1.0, spread: float = 0.5) -> tuple[float, ...]:
    """Log-normal durations."""
    mu = -(spread**2) / 2
    return tuple(mean_s * rng.lognormvariate(mu, spread) for _ in range(count))


def ramp(
    seed: int,
    *,
    companies: int = 100,
    invoices: int = 1_000,
    pace_per_s: float | None = None,
    limit_per_s: float | None = None,
) -> Trace:
    """All work arrives at once."""
    rng = random.Random(f"ramp{seed}")
    batches = tuple(
        ArrivalBatch(at_s=10.0 + rng.random(), durations_s=seconds(rng, invoices)) for _ in range(companies)
    )
    name = "paced" if pace_per_s else "limited" if limit_per_s else "ramp"
    return Trace(name=name, batches=batches, pace_per_s=pace_per_s, limit_per_s=limit_per_s)


def closed_loop(seed: int, *, companies: int = 100, invoices: int = 1_000, in_flight: int = 8) -> Trace:
    """Each company keeps a few activities in flight, so the backlog never shows how much work there is."""
    rng = random.Random(f"closed{seed}")
    batches = (
        ArrivalBatch(at_s=10.0 + rng.random(), durations_s=seconds(rng, invoices), in_flight=in_flight)
        for _ in range(companies)
    )
    return Trace(name="closed loop", batches=tuple(batches))


def spikes(
    seed: int, *, minutes: int = 60, load: float = 0.6, spike: int = 20_000, base_slots: int = 200
) -> Trace:
    """A steady load on the base workers with three spikes."""
    rng = random.Random(f"spikes{seed}")
    steady = [
        ArrivalBatch(at_s=float(at), durations_s=seconds(rng, _poisson(rng, load * base_slots)))
        for at in range(minutes * 60)
    ]
    tops = [
        ArrivalBatch(at_s=minutes * 60 * (part + rng.uniform(-0.04, 0.04)), durations_s=seconds(rng, spike))
        for part in (0.2, 0.5, 0.75)
    ]
    return Trace(
        name="spikes",
        batches=tuple(sorted([*steady, *tops], key=lambda batch: batch.at_s)),
        base_slots=base_slots,
    )


def long_work(seed: int, *, waves: int = 3, each: int = 2_000) -> Trace:
    """Waves of activities of 60 to 300 s: killing a worker loses minutes of work."""
    rng = random.Random(f"long{seed}")
    batches = (
        ArrivalBatch(
            at_s=10.0 + wave * rng.uniform(400, 700),
            durations_s=tuple(rng.uniform(60, 300) for _ in range(each)),
        )
        for wave in range(waves)
    )
    return Trace(name="long", batches=tuple(sorted(batches, key=lambda batch: batch.at_s)))


def trickle(seed: int, *, minutes: int = 30, rate_per_s: float = 4.0, burst: int = 30_000) -> Trace:
    """A burst, followed by a trickle that would keep idle workers alive indefinitely."""
    rng = random.Random(f"trickle{seed}")
    first = ArrivalBatch(at_s=10.0, durations_s=seconds(rng, burst))
    rest = (
        ArrivalBatch(at_s=float(at), durations_s=seconds(rng, _poisson(rng, rate_per_s)))
        for at in range(20, minutes * 60)
    )
    return Trace(name="trickle", batches=(first, *rest))


def waves(seed: int, *, base_slots: int = 20, hours: float = 1.0) -> Trace:
    """Irregular batches of different sizes and durations, as several pipelines produce them over a day."""
    rng = random.Random(f"waves{seed}")
    batches: list[ArrivalBatch] = []
    at_s = 20.0
    while at_s < hours * 3_600:
        size, mean_s = int(rng.lognormvariate(6.5, 1.2)) + 1, rng.choice((0.3, 1.0, 4.0, 12.0))
        batches.append(ArrivalBatch(at_s=at_s, durations_s=seconds(rng, size, mean_s=mean_s)))
        at_s += rng.expovariate(1 / 150)
    return Trace(name="waves", batches=tuple(batches), base_slots=base_slots)


def rollout(seed: int, *, companies: int = 50, invoices: int = 1_000, in_flight: int = 8) -> Trace:
    """A new version is deployed while runs that are pinned to the old one have most of their work left.

    Half of the companies start before the rollout, and half after it.
    """
    rng = random.Random(f"rollout{seed}")
    batches = [
        ArrivalBatch(
            at_s=start_s + rng.random(),
            durations_s=seconds(rng, invoices),
            in_flight=in_flight,
            version=version,
        )
        for version, start_s in ((0, 10.0), (1, 70.0))
        for _ in range(companies)
    ]
    return Trace(name="rollout", batches=tuple(batches), base_slots=100)


def terminated(seed: int, *, tasks: int = 400) -> Trace:
    """The leftover backlog of an ended workflow on a queue without base workers; real work arrives much
    later.
    """
    rng = random.Random(f"terminated{seed}")
    return Trace(
        name="terminated",
        batches=(ArrivalBatch(at_s=900.0, durations_s=seconds(rng, 200)),),
        base_slots=0,
        phantom=tasks,
    )


GENERATED: Final[Mapping[str, Callable[[int], Trace]]] = {
    "ramp": ramp,
    "closed": closed_loop,
    "paced": lambda seed: ramp(seed, pace_per_s=600),
    "limited": lambda seed: ramp(seed, limit_per_s=600),
    "spikes": spikes,
    "long": long_work,
    "trickle": trickle,
    "rollout": rollout,
    "waves": waves,
    "terminated": terminated,
}
TUNING_SEEDS: Final = (1, 2, 3)
"""The constants of the sizing were tuned on these seeds."""
TEST_SEEDS: Final = (101, 102, 103)
"""Results are reported on these seeds, on which nothing was tuned."""


class _RecordedBatch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    at_s: Annotated[float, Meta(ge=0)]
    count: Annotated[int, Meta(ge=1, le=1_000_000)]
    mean_s: Annotated[float, Meta(gt=0)]
    in_flight: Annotated[int, Meta(ge=1)] | None = None


class _Recorded(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    base_slots: Annotated[int, Meta(ge=0)]
    batches: tuple[_RecordedBatch, ...]
    pace_per_s: Annotated[float, Meta(gt=0)] | None = None
    limit_per_s: Annotated[float, Meta(gt=0)] | None = None


def read_trace(path: Path, seed: int = 0) -> Trace:
    """Read a recorded trace from JSON.

    Its form is `{name, base_slots, batches: [{at_s, count, mean_s, in_flight?}], pace_per_s?, limit_per_s?}`.

    Raises:
        InvalidInput: the file cannot be read or does not have this form; the message names the field.
    """
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_Recorded)
    except (OSError, msgspec.DecodeError) as error:
        raise InvalidInput(f"trace {path}: {error}", field="trace") from None
    rng = random.Random(f"{found.name}{seed}")
    batches = tuple(
        ArrivalBatch(
            at_s=item.at_s, durations_s=seconds(rng, item.count, mean_s=item.mean_s), in_flight=item.in_flight
        )
        for item in found.batches
    )
    return Trace(
        name=found.name,
        batches=batches,
        base_slots=found.base_slots,
        pace_per_s=found.pace_per_s,
        limit_per_s=found.limit_per_s,
    )


def trace_of_log(records: Iterable[ScalingDecisionRecord], seed: int = 0) -> Trace:
    """Derive a trace from the decision log of one queue: Δbacklog + Δrunning + finished, record by record."""
    rng = random.Random(f"log{seed}")
    ordered = sorted(records, key=lambda record: record.at)
    if not ordered:
        raise InvalidInput("the log has no record of this queue", field="queue")
    batches: list[ArrivalBatch] = []
    for number, (last, record) in enumerate(pairwise(ordered)):
        before = {worker.identity: worker.processed for worker in last.snapshot.workers}
        done = sum(
            max(0, worker.processed - before.get(worker.identity, 0)) for worker in record.snapshot.workers
        )
        arrived = record.terms.backlog + record.terms.used + done - last.terms.backlog - last.terms.used
        # The service time of new activities is known only some records later.
        each_s = ordered[min(number + _SERVICE_TIME_LAG, len(ordered) - 1)].terms.service_s
        if arrived > 0 and each_s > 0:
            at_s = (record.at - ordered[0].at).total_seconds()
            batches.append(ArrivalBatch(at_s=at_s, durations_s=seconds(rng, arrived, mean_s=each_s)))
    base = sum(worker.slots for worker in ordered[0].snapshot.workers if not worker.is_burst)
    return Trace(name=f"log of {ordered[0].queue}", batches=tuple(batches), base_slots=base)


def _poisson(rng: random.Random, mean: float) -> int:
    return max(0, round(rng.gauss(mean, mean**0.5)))
