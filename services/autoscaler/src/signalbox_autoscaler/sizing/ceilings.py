"""How many slots are of use at all, whatever the backlog: more would wait for work, for a limit, or for each other."""

from datetime import datetime, timedelta
from typing import Final

from signalbox_autoscaler.model import Binding, Policy, Snapshot, State

HEADROOM: Final = 1.15
SATURATION_HOLDS: Final = timedelta(seconds=300)
_STEADY: Final = timedelta(seconds=15)


def ceilings(policy: Policy, state: State, snapshot: Snapshot, now: datetime) -> list[tuple[int, Binding]]:
    """The ceilings that are known, in slots."""
    found = [_running_work(state, snapshot, now)]
    slots = limited_slots(policy, state, snapshot)
    if slots is not None:
        found.append((slots, Binding.RATE_LIMIT))
    if is_saturated(state, now):
        found.append((state.saturated_slots, Binding.SATURATION))
    return found


def lasting_ceiling(policy: Policy, state: State, snapshot: Snapshot, now: datetime) -> int | None:
    """The slots that a limit outside lets be of use: workers above it are surplus even when they are busy waiting."""
    found = [
        slots
        for slots, binding in ceilings(policy, state, snapshot, now)
        if binding in {Binding.RATE_LIMIT, Binding.SATURATION}
    ]
    return min(found, default=None)


def limited_slots(policy: Policy, state: State, snapshot: Snapshot) -> int | None:
    """Slots that keep a rate limit busy: R a second, each for as long as an activity takes at its best."""
    rates = [
        rate
        for rate in (policy.max_rate_per_s, snapshot.effective_rate_per_s, _hinted(snapshot))
        if rate is not None
    ]
    best_s = state.service_min_s or state.service_s
    if not rates or best_s is None:
        return None
    return max(1, int(HEADROOM * min(rates) * best_s))


def is_saturated(state: State, now: datetime) -> bool:
    """Whether more slots brought no more throughput when it was last tried, at most 300 s ago."""
    return state.saturated_at is not None and now - state.saturated_at < SATURATION_HOLDS


def _running_work(state: State, snapshot: Snapshot, now: datetime) -> tuple[int, Binding]:
    """Not more slots than activities at once: the least of the last 15 s in which any waited.

    What a workflow keeps in flight tells it before the queue does.
    """
    least = snapshot.activities + (state.samples[-1].used if state.samples else 0)
    present = least
    for sample in reversed(state.samples):
        if now - sample.at > _STEADY or sample.backlog == 0:
            break
        least = min(least, sample.backlog + sample.used)
    if snapshot.hint_remaining > 0 and not snapshot.hints_stale and snapshot.hint_max_in_flight is not None:
        in_flight = min(snapshot.hint_max_in_flight, present + snapshot.hint_remaining)
        if in_flight > least:
            return in_flight, Binding.IN_FLIGHT
    return least, Binding.RUNNING_WORK


def _hinted(snapshot: Snapshot) -> float | None:
    """The workflows' own rate limits the queue only when their work is all there is to come."""
    return snapshot.hint_max_rate_per_s if snapshot.hint_remaining > 0 and not snapshot.hints_stale else None
