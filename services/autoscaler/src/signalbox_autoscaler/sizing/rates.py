"""What the heartbeats tell: how long an activity takes, how many finish, how many arrive.

The server's own add and dispatch rates are not used: they lag by half a minute. Little's law over the workers' counters does not.
"""

import math
from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from signalbox_autoscaler.model import Policy, Sample, Snapshot, State
from signalbox_autoscaler.sizing.capacity import Fleet, alive_workers

KEPT: Final = timedelta(seconds=120)
WINDOW: Final = timedelta(seconds=20)
SHORT_S: Final = 20.0
LONG_S: Final = 300.0
ENOUGH: Final = 20.0
"""Finished activities below which nothing fades: slow work is measured over as long as it takes."""
STEADY: Final = 0.5
"""An interval in which the running activities changed by more than this share tells little: when in it they began is not known."""
_SPIKE: Final = 4.0
_LITTLE: Final = 5.0
_SOME: Final = 0.1
_FALLING: Final = 0.5
_RISING: Final = 0.01


def observe(policy: Policy, state: State, snapshot: Snapshot, fleet: Fleet, now: datetime) -> State:
    """The state after one more look."""
    counters, done = _finished(policy, state, snapshot, now)
    sample = Sample(now, snapshot.activities, fleet.used, done, fleet.capacity)
    last = state.samples[-1] if state.samples else None
    seen = replace(
        state,
        tick=state.tick + 1,
        samples=(*(item for item in state.samples if now - item.at <= KEPT), sample),
        processed=counters,
        busy_since=_busy_since(state, sample, last),
    )
    if last is None or now <= last.at:
        return seen
    return _arrivals(_service(seen, sample, last), sample, last)


def rate_per_s(state: State, window: timedelta = WINDOW) -> float:
    """Activities finished a second over the last window (X)."""
    recent = _recent(state, window)
    span = (recent[-1].at - recent[0].at).total_seconds() if recent else 0.0
    return sum(item.done for item in recent[1:]) / span if span > 0 else 0.0


def service_s(state: State, now: datetime) -> float | None:
    """Seconds an activity takes (S): as measured, and at least as long as a tenth of the running ones have gone without one ending.

    What just began is no evidence, nor is a straggler among many.
    """
    if not state.samples or state.samples[-1].used == 0:
        return state.service_s
    some, flat_s = _SOME * state.samples[-1].used, 0.0
    for sample in reversed(state.samples):
        if sample.used < some:
            break
        flat_s = (now - sample.at).total_seconds()
        if sample.done > 0:
            break
    return max(state.service_s or 0.0, flat_s) or None


def arrivals_per_s(state: State) -> float:
    """The lower of the last 20 s and the last 300 s (λ): a spike is never extrapolated."""
    recent = _recent(state, WINDOW)
    span = (recent[-1].at - recent[0].at).total_seconds() if recent else 0.0
    if span <= 0:
        return 0.0
    first, last = recent[0], recent[-1]
    came = last.backlog + last.used - first.backlog - first.used + sum(item.done for item in recent[1:])
    return max(0.0, min(came / span, state.arrivals_per_s or 0.0))


def _finished(policy: Policy, state: State, snapshot: Snapshot, now: datetime) -> tuple[dict[str, int], int]:
    """The counters to remember, and what was finished since the last look.

    A burst worker that appears began with 0; a base worker may have worked for days before it was first seen.
    """
    counters: dict[str, int] = {}
    done = 0
    for worker in alive_workers(policy, snapshot, now):
        counters[worker.identity] = worker.processed
        before = state.processed.get(
            worker.identity, 0 if worker.is_burst and state.tick else worker.processed
        )
        done += max(0, worker.processed - before)
    return counters, done


def _busy_since(state: State, sample: Sample, last: Sample | None) -> datetime | None:
    if sample.used == 0 and (last is None or last.used == 0):
        return None
    return state.busy_since or (last.at if last else sample.at)


def _service(state: State, sample: Sample, last: Sample) -> State:
    """Little's law with sums that fade over twice the service time (20 s at least): S = slot-seconds worked / activities finished.

    While the activities of a rise still run, the quotient is too large: what ended can have taken no longer than most of
    them have run, so that (or the earlier value) bounds it.
    """
    elapsed_s = (sample.at - last.at).total_seconds()
    before_s = state.service_s or 0.0
    fade = math.exp(-elapsed_s / max(SHORT_S, 2 * before_s)) if state.finished > ENOUGH else 1.0
    steady = abs(sample.used - last.used) <= max(_LITTLE, STEADY * max(sample.used, last.used))
    weight = 1.0 if steady else min(1.0, _LITTLE / max(1, sample.done))
    busy_s = state.busy_s * fade + (sample.used + last.used) / 2 * elapsed_s * weight
    finished = state.finished * fade + sample.done * weight
    state = replace(state, busy_s=busy_s, finished=finished)
    if finished < 1 or sample.done == 0 or busy_s <= 0:
        return state
    measured_s = max(0.001, min(busy_s / finished, max(_run_for_s(state, sample, elapsed_s), before_s)))
    state = replace(state, service_s=measured_s)
    return replace(state, service_min_s=_best(state.service_min_s, measured_s)) if steady else state


def _run_for_s(state: State, sample: Sample, elapsed_s: float) -> float:
    """For how long half of what runs may have run: back to the look at which fewer did."""
    for earlier in reversed(state.samples[:-1]):
        if 2 * earlier.used < sample.used:
            return (sample.at - earlier.at).total_seconds()
    return (sample.at - state.busy_since).total_seconds() if state.busy_since else elapsed_s


def _best(before: float | None, service_s: float) -> float:
    """Falls fast and rises slowly: the service time without waiting behind the queue."""
    if before is None:
        return service_s
    return before + (_FALLING if service_s < before else _RISING) * (service_s - before)


def _arrivals(state: State, sample: Sample, last: Sample) -> State:
    elapsed_s = (sample.at - last.at).total_seconds()
    came = max(0, sample.backlog + sample.used + sample.done - last.backlog - last.used) / elapsed_s
    before = state.arrivals_per_s
    if before is not None:
        # One spike must not look like a rate for the next five minutes.
        came = min(came, _SPIKE * max(before, 1.0))
    weight = 1 - math.exp(-elapsed_s / LONG_S)
    return replace(state, arrivals_per_s=came if before is None else before + weight * (came - before))


def _recent(state: State, window: timedelta) -> list[Sample]:
    if not state.samples:
        return []
    since = state.samples[-1].at - window
    return [item for item in state.samples if item.at >= since]
