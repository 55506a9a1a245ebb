"""Whether the last step up in capacity brought throughput: something behind the queue may be at its end."""

from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from signalbox_autoscaler.law.ceilings import HEADROOM, SATURATION_HOLDS
from signalbox_autoscaler.law.rates import rate_per_s
from signalbox_autoscaler.model import Rise, State

STEP: Final = 1.1
_SETTLED: Final = timedelta(seconds=15)
_GAIN: Final = 0.7
_BUSY: Final = 0.9


def watch_saturation(state: State, now: datetime) -> State:
    """Follow capacity; 15 s (and two activities) after the last step compare the gain in throughput with the gain in slots."""
    if len(state.samples) < 2:
        return state
    before, last = state.samples[-2], state.samples[-1]
    if state.saturated_at is not None and now - state.saturated_at >= SATURATION_HOLDS:
        state = replace(state, saturated_at=None, saturated_slots=0)
    if last.capacity > before.capacity * STEP and before.used >= _BUSY * before.capacity > 0 and before.backlog > 0:
        base = state.rise or Rise(changed_at=now, capacity=before.capacity, rate_per_s=_rate_before(state))
        return replace(state, rise=replace(base, changed_at=now))
    if state.rise is None:
        return state
    if last.capacity < before.capacity or last.used < _BUSY * last.capacity or last.backlog == 0:
        return replace(state, rise=None)
    if last.capacity > before.capacity:
        return replace(state, rise=replace(state.rise, changed_at=now))
    return _judge(state, state.rise, now)


def _judge(state: State, rise: Rise, now: datetime) -> State:
    settled = max(_SETTLED, timedelta(seconds=2 * (state.service_s or 0.0)))
    if now - rise.changed_at < settled or rise.rate_per_s <= 0:
        return state
    rate, slots = rate_per_s(state, _SETTLED), state.samples[-1].capacity
    gain = (rate / rise.rate_per_s - 1) / (slots / rise.capacity - 1)
    if gain >= _GAIN or state.service_min_s is None:
        return replace(state, rise=None)
    enough = max(1, int(HEADROOM * rate * state.service_min_s))
    return replace(state, rise=None, saturated_at=now, saturated_slots=enough)


def _rate_before(state: State) -> float:
    """Throughput up to the step."""
    return rate_per_s(replace(state, samples=state.samples[:-1]), _SETTLED)
