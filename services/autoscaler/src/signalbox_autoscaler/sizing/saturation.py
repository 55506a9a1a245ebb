"""Whether more slots bring more throughput: something behind the queue may be at its end, and activities then wait in their slots."""

from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from signalbox_autoscaler.model import Rise, Sample, State
from signalbox_autoscaler.sizing.ceilings import HEADROOM, SATURATION_HOLDS

STEP: Final = 1.1
_LOOK: Final = timedelta(seconds=10)
_LONGEST: Final = timedelta(seconds=60)
"""A look and its lag; what takes longer is limited by other things than a rate, and would be judged by guesses."""
_GIVEN_UP: Final = timedelta(seconds=60)
_CALM: Final = timedelta(seconds=10)
_GROWN: Final = 1.5
_GAIN: Final = 0.7
_AS_BEFORE: Final = 0.85
_LONGER: Final = 1.5
_NEARLY: Final = 1.3
_BUSY: Final = 0.9


def watch_saturation(state: State, now: datetime) -> State:
    """Follow steps up in capacity while every slot is busy, and compare the gain in throughput with the gain in slots."""
    if len(state.samples) < 2:
        return state
    if state.saturated_at is not None and (
        now - state.saturated_at >= SATURATION_HOLDS or _was_other_work(state, now)
    ):
        state = replace(state, saturated_at=None, saturated_slots=0)
    before, last = state.samples[-2], state.samples[-1]
    full = before.used >= _BUSY * before.capacity > 0 and before.backlog > 0
    if last.capacity > before.capacity * STEP and full and state.service_s is not None:
        begun = state.rise or Rise(
            began_at=now, changed_at=now, capacity=before.capacity, service_s=state.service_s
        )
        return _judge(replace(state, rise=replace(begun, changed_at=now)), now)
    if state.rise is None:
        return state
    if last.capacity < before.capacity or last.backlog == 0 or now - state.rise.changed_at > _GIVEN_UP:
        return replace(state, rise=None)
    return _judge(state, now)


def sized_service_s(state: State, service_s: float) -> float:
    """The service time to size by: while a rise is measured, that from before it, as waiting behind the queue is no work."""
    return min(service_s, state.rise.service_s) if state.rise is not None else service_s


def _judge(state: State, now: datetime) -> State:
    """Saturated, once a look at the full slots shows less than 0.7 of the throughput that their number should have brought.

    What finished in the look began one activity earlier, so it is compared with the slots of that time.
    """
    rise = state.rise
    if rise is None:
        return state
    lag = timedelta(seconds=rise.service_s)
    look = max(_LOOK, 2 * lag)
    if now - rise.began_at < look or look + lag > _LONGEST:
        return state
    done = sum(item.done for item in state.samples if item.at > now - look)
    then = [item for item in state.samples if now - look - lag <= item.at <= now - lag]
    used = _mean_used(then)
    rate = done / look.total_seconds()
    growth = used / rise.capacity
    if growth < _GROWN or rate <= 0:
        return state
    if rate < _AS_BEFORE * rise.capacity / rise.service_s:
        # No limit lowers the throughput when workers are added: the activities have become longer.
        return replace(state, rise=None)
    gain = (rate * rise.service_s / rise.capacity - 1) / (growth - 1)
    if gain >= _GAIN:
        return replace(state, rise=None) if now - rise.changed_at >= look else state
    enough = max(1, int(HEADROOM * rate * rise.service_s))
    return replace(
        state, rise=None, saturated_at=now, saturated_slots=enough, saturated_service_s=rise.service_s
    )


def _was_other_work(state: State, now: datetime) -> bool:
    """Whether activities stay long where nothing makes them wait: with the slots that suffice they must be as short as before.

    Looked at when every slot was busy and none came or went for a while: workers that leave take their last counts with them.
    """
    look = max(_LOOK, timedelta(seconds=3 * state.saturated_service_s))
    steady = [item for item in state.samples if item.at > now - look - _CALM]
    if (
        state.saturated_at is None
        or now - state.saturated_at < look + _CALM
        or len({item.capacity for item in steady}) != 1
    ):
        return False
    if any(
        item.backlog == 0 or not _BUSY * item.capacity <= item.used <= item.capacity / _BUSY
        for item in steady
    ):
        return False
    rate = sum(item.done for item in steady if item.at > now - look) / look.total_seconds()
    brought = state.saturated_slots / HEADROOM / state.saturated_service_s
    if steady[-1].capacity > _NEARLY * state.saturated_slots:
        # More base slots stand than suffice: they wait in any case, and bring what they brought before.
        return rate < _AS_BEFORE * brought
    return _mean_used(steady) > _LONGER * state.saturated_service_s * max(rate, 1e-9)


def _mean_used(samples: list[Sample]) -> float:
    return sum(item.used for item in samples) / len(samples) if samples else 0.0
