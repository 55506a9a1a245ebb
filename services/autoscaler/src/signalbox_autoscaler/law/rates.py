"""What the heartbeats tell: how long an activity takes, how many finish, how many arrive.

The server's own add and dispatch rates are not used: they lag by half a minute. Little's law over the workers' counters does not.
"""

import math
from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from signalbox_autoscaler.law.fleet import Fleet, alive_workers
from signalbox_autoscaler.model import Policy, Sample, Snapshot, State

KEPT: Final = timedelta(seconds=60)
WINDOW: Final = timedelta(seconds=20)
SHORT_S: Final = 20.0
LONG_S: Final = 300.0
ENOUGH: Final = 20.0
"""Finished activities below which nothing fades: slow work is measured over as long as it takes."""
STEADY: Final = 0.5
"""An interval in which the running activities changed by more than this share tells little: when in it they began is not known."""
_SPIKE: Final = 4.0
_LITTLE: Final = 5.0
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
        done_at=now if done else state.done_at,
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
    """Seconds an activity takes (S): as measured, and at least as long as the running ones have gone without one of them ending."""
    if state.busy_since is None or not state.samples or state.samples[-1].used == 0:
        return state.service_s
    since = max(state.busy_since, state.done_at or state.busy_since)
    return max(state.service_s or 0.0, (now - since).total_seconds()) or None


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
        before = state.processed.get(worker.identity, 0 if worker.is_burst and state.tick else worker.processed)
        done += max(0, worker.processed - before)
    return counters, done


def _busy_since(state: State, sample: Sample, last: Sample | None) -> datetime | None:
    if sample.used == 0 and (last is None or last.used == 0):
        return None
    return state.busy_since or (last.at if last else sample.at)


def _service(state: State, sample: Sample, last: Sample) -> State:
    """Little's law with fading sums: S = slot-seconds worked / activities finished.

    While the first activities of a busy time still run, the quotient is too large: nothing that ended can have taken
    longer than the busy time, so that (or the earlier value) bounds it.
    """
    elapsed_s = (sample.at - last.at).total_seconds()
    fade = math.exp(-elapsed_s / SHORT_S) if state.finished > ENOUGH else 1.0
    steady = abs(sample.used - last.used) <= max(_LITTLE, STEADY * max(sample.used, last.used))
    weight = 1.0 if steady else min(1.0, _LITTLE / max(1, sample.done))
    busy_s = state.busy_s * fade + (sample.used + last.used) / 2 * elapsed_s * weight
    finished = state.finished * fade + sample.done * weight
    state = replace(state, busy_s=busy_s, finished=finished)
    if finished < 1 or sample.done == 0 or busy_s <= 0:
        return state
    busy_for_s = (sample.at - state.busy_since).total_seconds() if state.busy_since else elapsed_s
    service_s = max(0.001, min(busy_s / finished, max(busy_for_s, state.service_s or 0.0)))
    state = replace(state, service_s=service_s)
    return replace(state, service_min_s=_best(state.service_min_s, service_s)) if steady else state


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
