"""Lower bounds: the cheapest fleet that is as fast as a given result, and the fastest possible fleet."""

import math

from signalbox_simulator.outcome import SimulationOutcome, simulate
from signalbox_simulator.scalers.reference import Clairvoyant
from signalbox_simulator.traces import Trace


def cheapest_as_fast(trace: Trace, makespan_s: float, *, seed: int, slots: int = 50) -> SimulationOutcome:
    """The smallest fleet, launched when the work arrives, that finishes within `makespan_s`.

    It has the trace in advance, has the same cold starts, and pays for no idle time. For traces with one
    arrival.
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
    """A fleet with one slot per activity in flight, launched when the work arrives."""
    in_flight = sum(
        len(batch.durations_s) if batch.in_flight is None else batch.in_flight for batch in trace.batches
    )
    return run_clairvoyant(trace, min(in_flight, trace.base_slots + 1_000 * slots), seed=seed)


def run_clairvoyant(trace: Trace, total_slots: int, *, seed: int) -> SimulationOutcome:
    """Run the trace with `total_slots` slots, including those of the base workers."""
    return simulate(
        trace, Clairvoyant(total_slots, at_s=max(batch.at_s for batch in trace.batches)), seed=seed
    )


def least_worker_s(trace: Trace, makespan_s: float, *, cold_s: float = 20.0, slots: int = 50) -> float:
    """A lower bound of any fleet's cost: work the base cannot do in `makespan_s`, plus mean cold starts."""
    rest_s = max(0.0, trace.work_s - trace.base_slots * makespan_s)
    use_s = makespan_s - cold_s
    if use_s <= 0:
        return 0.0 if rest_s == 0 else math.inf
    return rest_s / slots * (1 + cold_s / use_s)
