"""Measured rates: how long an activity takes, how many complete, how many arrive.

They come from the workers' heartbeat counters by Little's law. Temporal's own add and dispatch rates are not
used: they lag by half a minute.
"""

import math
from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from signalbox_autoscaler.model import LoadSample, SizingState
from signalbox_autoscaler.sizing.capacity import alive_workers
from signalbox_autoscaler.sizing.sizing_inputs import Sizing

SAMPLES_KEPT: Final = timedelta(seconds=120)
WINDOW: Final = timedelta(seconds=20)
MIN_DECAY_S: Final = 20.0
LONG_S: Final = 300.0
MIN_FINISHED: Final = 20.0
"""Completed activities below which nothing decays: slow work is measured over as long as it takes."""
STEADY_CHANGE: Final = 0.5
"""An interval is steady while the number of running activities changes by at most this share. Other intervals
say little about the service time, because it is unknown when in them the activities began."""
_STEADY_COUNT: Final = 5.0
_MAX_SPIKE: Final = 4.0
_NON_STRAGGLERS: Final = 0.1
_FALL_RATE: Final = 0.5
_RISE_RATE: Final = 0.01


def record_sample(sizing: Sizing) -> SizingState:
    """Update the state with this tick: the sample, the counters, the service time and the arrival rate."""
    state, now = sizing.state, sizing.now
    counters, done = _count_finished(sizing)
    sample = LoadSample(now, sizing.snapshot.activities, sizing.fleet.used, done, sizing.fleet.capacity)
    last = state.samples[-1] if state.samples else None
    updated = replace(
        state,
        tick=state.tick + 1,
        samples=(*(item for item in state.samples if now - item.at <= SAMPLES_KEPT), sample),
        processed=counters,
        busy_since=_busy_since(state, sample, last),
    )
    if last is None or now <= last.at:
        return updated
    return _update_arrivals(_update_service(updated, sample, last), sample, last)


def throughput_per_s(state: SizingState, window: timedelta = WINDOW) -> float:
    """Activities completed per second in the last `window`."""
    recent = _recent(state, window)
    span = (recent[-1].at - recent[0].at).total_seconds() if recent else 0.0
    return sum(item.done for item in recent[1:]) / span if span > 0 else 0.0


def current_service_s(state: SizingState, now: datetime) -> float | None:
    """Seconds per activity (S): as measured, or longer when running activities show that it must be.

    When at least a tenth of the running activities have run for a while and none completed, S is at least
    that time. Activities that just began say nothing about S, nor does a single straggler.
    """
    if not state.samples or state.samples[-1].used == 0:
        return state.service_s
    minimum, flat_s = _NON_STRAGGLERS * state.samples[-1].used, 0.0
    for sample in reversed(state.samples):
        if sample.used < minimum:
            break
        flat_s = (now - sample.at).total_seconds()
        if sample.done > 0:
            break
    return max(state.service_s or 0.0, flat_s) or None


def arrivals_per_s(state: SizingState) -> float:
    """Tasks arriving per second (λ): the lower of the last 20 s and about 300 s, so that a spike is not
    extrapolated."""
    recent = _recent(state, WINDOW)
    span = (recent[-1].at - recent[0].at).total_seconds() if recent else 0.0
    if span <= 0:
        return 0.0
    first, last = recent[0], recent[-1]
    arrived = last.backlog + last.used - first.backlog - first.used + sum(item.done for item in recent[1:])
    return max(0.0, min(arrived / span, state.arrivals_per_s or 0.0))


def _count_finished(sizing: Sizing) -> tuple[dict[str, int], int]:
    """The counter of each worker, and the activities completed since the previous tick.

    A new burst worker started at 0; a base worker may have worked for days before it was first seen.
    """
    state = sizing.state
    counters: dict[str, int] = {}
    done = 0
    for worker in alive_workers(sizing.policy, sizing.snapshot, sizing.now):
        counters[worker.identity] = worker.processed
        initial = 0 if worker.is_burst and state.tick else worker.processed
        done += max(0, worker.processed - state.processed.get(worker.identity, initial))
    return counters, done


def _busy_since(state: SizingState, sample: LoadSample, last: LoadSample | None) -> datetime | None:
    if sample.used == 0 and (last is None or last.used == 0):
        return None
    return state.busy_since or (last.at if last else sample.at)


def _update_service(state: SizingState, sample: LoadSample, last: LoadSample) -> SizingState:
    """Little's law: S = slot-seconds worked / activities completed, decaying over 2·S (20 s at least).

    After the load has risen the ratio is too large, because the new activities have not completed yet. It is
    bounded by how long half of the running activities can have run, or by the earlier value.
    """
    elapsed_s = (sample.at - last.at).total_seconds()
    before_s = state.service_s or 0.0
    decay = math.exp(-elapsed_s / max(MIN_DECAY_S, 2 * before_s)) if state.finished > MIN_FINISHED else 1.0
    steady = abs(sample.used - last.used) <= max(_STEADY_COUNT, STEADY_CHANGE * max(sample.used, last.used))
    weight = 1.0 if steady else min(1.0, _STEADY_COUNT / max(1, sample.done))
    busy_s = state.busy_s * decay + (sample.used + last.used) / 2 * elapsed_s * weight
    finished = state.finished * decay + sample.done * weight
    state = replace(state, busy_s=busy_s, finished=finished)
    if finished < 1 or sample.done == 0 or busy_s <= 0:
        return state
    bound_s = max(_half_running_for_s(state, sample, elapsed_s), before_s)
    measured_s = max(0.001, min(busy_s / finished, bound_s))
    state = replace(state, service_s=measured_s)
    return replace(state, service_min_s=_lower_envelope(state.service_min_s, measured_s)) if steady else state


def _half_running_for_s(state: SizingState, sample: LoadSample, elapsed_s: float) -> float:
    """The time since less than half of the present number of activities ran."""
    for earlier in reversed(state.samples[:-1]):
        if 2 * earlier.used < sample.used:
            return (sample.at - earlier.at).total_seconds()
    return (sample.at - state.busy_since).total_seconds() if state.busy_since else elapsed_s


def _lower_envelope(before: float | None, service_s: float) -> float:
    """The service time without contention: falls quickly, rises slowly."""
    if before is None:
        return service_s
    return before + (_FALL_RATE if service_s < before else _RISE_RATE) * (service_s - before)


def _update_arrivals(state: SizingState, sample: LoadSample, last: LoadSample) -> SizingState:
    elapsed_s = (sample.at - last.at).total_seconds()
    rate = max(0, sample.backlog + sample.used + sample.done - last.backlog - last.used) / elapsed_s
    before = state.arrivals_per_s
    if before is not None:
        # Bounded, so that one spike does not raise the average for the next five minutes.
        rate = min(rate, _MAX_SPIKE * max(before, 1.0))
    weight = 1 - math.exp(-elapsed_s / LONG_S)
    return replace(state, arrivals_per_s=rate if before is None else before + weight * (rate - before))


def _recent(state: SizingState, window: timedelta) -> list[LoadSample]:
    if not state.samples:
        return []
    since = state.samples[-1].at - window
    return [item for item in state.samples if item.at >= since]
