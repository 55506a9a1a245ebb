"""What could be done at best: the cheapest fleet that is as fast as a given run, and the fastest there is."""

import math

from signalbox_simulator.outcome import SimulationOutcome, simulate
from signalbox_simulator.scalers.reference import Clairvoyant
from signalbox_simulator.traces import Trace


def cheapest_as_fast(trace: Trace, makespan_s: float, *, seed: int, slots: int = 50) -> SimulationOutcome:
    """The smallest fleet, launched when the work arrives, that ends within `makespan_s`; for traces with one arrival.

    It knows how much comes and how long it takes, has the same cold starts, and pays no idle time.
    """
    low, high = 0, max(1, math.ceil(min(trace.count, 50_000) / slots))
    best: SimulationOutcome | None = None
    while low < high:
        middle = (low + high) // 2
        found = run_clairvoyant(trace, trace.base_slots + middle * slots, seed=seed)
        if found.makespan_s <= makespan_s:
            high, best = middle, found
        else:
            low = middle + 1
    return best or run_clairvoyant(trace, trace.base_slots + low * slots, seed=seed)


def fastest(trace: Trace, *, seed: int, slots: int = 50) -> SimulationOutcome:
    """A slot for every activity that the trace keeps in flight, asked for when the work arrives."""
    in_flight = sum(
        len(batch.durations_s) if batch.in_flight is None else batch.in_flight for batch in trace.batches
    )
    return run_clairvoyant(trace, min(in_flight, trace.base_slots + 1_000 * slots), seed=seed)


def run_clairvoyant(trace: Trace, in_all: int, *, seed: int) -> SimulationOutcome:
    """With `in_all` slots, base included."""
    return simulate(trace, Clairvoyant(in_all, at_s=max(batch.at_s for batch in trace.batches)), seed=seed)


def least_worker_s(trace: Trace, makespan_s: float, *, cold_s: float = 20.0, slots: int = 50) -> float:
    """A bound that no fleet undercuts: the work that the base cannot do in `makespan_s`, and the mean cold start of the workers for it."""
    rest_s = max(0.0, trace.work_s - trace.base_slots * makespan_s)
    use_s = makespan_s - cold_s
    if use_s <= 0:
        return 0.0 if rest_s == 0 else math.inf
    return rest_s / slots * (1 + cold_s / use_s)
