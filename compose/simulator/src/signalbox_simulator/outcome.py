"""What a run came to."""

from decimal import Decimal

from msgspec import Struct

from signalbox_simulator.engine import Scaler, Simulation
from signalbox_simulator.traces import Trace


class FleetSample(Struct, frozen=True, array_like=True):
    """The fleet at one instant."""

    at_s: float
    backlog: int
    used: int
    capacity: int
    workers: int


class SimulationOutcome(Struct, frozen=True, kw_only=True):
    """Attributes:
    makespan_s: from the first arrival to the last end.
    burst_worker_s: paid, from request to exit. launched: workers; peak: of them at once.
    reexecuted: activities that began again because their worker was stopped.
    """

    trace: str
    scaler: str
    seed: int
    activities: int
    makespan_s: float
    burst_worker_s: float
    p50_wait_s: float
    p95_wait_s: float
    launched: int
    peak: int
    reexecuted: int
    course: tuple[FleetSample, ...] = ()

    def cost(self, price_per_worker_s: Decimal) -> Decimal:
        return price_per_worker_s * Decimal(str(round(self.burst_worker_s, 3)))


class RecordingScaler:
    """A scaler whose course is kept."""

    def __init__(self, scaler: Scaler) -> None:
        self._scaler = scaler
        self.name = scaler.name
        self.every_s = scaler.every_s
        self.idle_exit_s = scaler.idle_exit_s
        self.course: list[FleetSample] = []

    def tick(self, simulation: Simulation) -> None:
        self._scaler.tick(simulation)
        capacity = simulation.base.slots + sum(
            worker.slots
            for worker in simulation.bursts.values()
            if worker.up_at is not None and not worker.draining
        )
        self.course.append(
            FleetSample(simulation.now, simulation.backlog, simulation.used, capacity, len(simulation.bursts))
        )


def simulate(
    trace: Trace, scaler: Scaler, *, seed: int, slots: int = 50, cold_s: tuple[float, float] = (10.0, 30.0)
) -> SimulationOutcome:
    """Run `trace` under `scaler` to its end."""
    watched = RecordingScaler(scaler)
    simulation = Simulation(trace, watched, seed=seed, slots=slots, cold_s=cold_s)
    simulation.run()
    workers = [*simulation.gone, *simulation.bursts.values()]
    waits = sorted(simulation.waits)
    return SimulationOutcome(
        trace=trace.name,
        scaler=scaler.name,
        seed=seed,
        activities=trace.count,
        makespan_s=simulation.last_end_s - min(batch.at_s for batch in trace.batches),
        burst_worker_s=sum(
            (worker.gone_at if worker.gone_at is not None else simulation.now) - worker.launched_at
            for worker in workers
        ),
        p50_wait_s=_quantile(waits, 0.5),
        p95_wait_s=_quantile(waits, 0.95),
        launched=len(workers),
        peak=max((point.workers for point in watched.course), default=0),
        reexecuted=simulation.reexecuted,
        course=tuple(watched.course),
    )


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
