"""Runs a simulation and summarizes its result."""

from decimal import Decimal

from msgspec import Struct

from signalbox_simulator.engine import Scaler, Simulation
from signalbox_simulator.traces import Trace


class FleetSample(Struct, frozen=True, array_like=True):
    """The state of the queue and the fleet at one instant."""

    at_s: float
    backlog: int
    used: int
    capacity: int
    workers: int


class SimulationOutcome(Struct, frozen=True, kw_only=True):
    """The result of one simulation.

    Attributes:
        makespan_s: from the first arrival to the end of the last activity.
        burst_worker_s: paid worker-seconds, from launch to exit.
        launched: burst workers in total; `peak`: the most at the same time.
        reexecuted: activities that started again because their worker was killed.
        course: one sample per tick.
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
    """Wraps a scaler and records a sample after every tick."""

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
    """Run `trace` under `scaler` until all work is done."""
    recorder = RecordingScaler(scaler)
    simulation = Simulation(trace, recorder, seed=seed, slots=slots, cold_s=cold_s)
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
        peak=max((point.workers for point in recorder.course), default=0),
        reexecuted=simulation.reexecuted,
        course=tuple(recorder.course),
    )


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
