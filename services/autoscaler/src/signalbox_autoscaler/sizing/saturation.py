"""Detects saturation: whether more slots bring more throughput.

When a system behind the queue is saturated, activities wait in their slots instead of in the queue.
"""

from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from signalbox_autoscaler.model import CapacityStep, LoadSample, SizingState
from signalbox_autoscaler.sizing.limits import HEADROOM, SATURATION_TTL

MIN_STEP: Final = 1.1
_MIN_WINDOW: Final = timedelta(seconds=10)
_MAX_WINDOW_AND_LAG: Final = timedelta(seconds=60)
"""Activities that need a longer measurement are not evaluated: other load changes would distort it."""
_STEP_TIMEOUT: Final = timedelta(seconds=60)
_SETTLE: Final = timedelta(seconds=10)
_MIN_GROWTH: Final = 1.5
_MIN_GAIN: Final = 0.7
_SAME_THROUGHPUT: Final = 0.85
_LONGER_SERVICE: Final = 1.5
_EXCESS_SLOTS: Final = 1.3
_FULL: Final = 0.9


def detect_saturation(state: SizingState, now: datetime) -> SizingState:
    """Follow increases of capacity under full load, and compare the gain in throughput with the gain in
    slots."""
    if len(state.samples) < 2:
        return state
    if state.saturated_at is not None and (
        now - state.saturated_at >= SATURATION_TTL or _is_refuted(state, now)
    ):
        state = replace(state, saturated_at=None, saturated_slots=0)
    before, last = state.samples[-2], state.samples[-1]
    full = before.used >= _FULL * before.capacity > 0 and before.backlog > 0
    if last.capacity > before.capacity * MIN_STEP and full and state.service_s is not None:
        step = state.rise or CapacityStep(
            began_at=now, changed_at=now, capacity=before.capacity, service_s=state.service_s
        )
        return _evaluate(replace(state, rise=replace(step, changed_at=now)), now)
    if state.rise is None:
        return state
    if last.capacity < before.capacity or last.backlog == 0 or now - state.rise.changed_at > _STEP_TIMEOUT:
        return replace(state, rise=None)
    return _evaluate(state, now)


def uncontended_service_s(state: SizingState, service_s: float) -> float:
    """The service time to size by. During a measurement it is that from before: waiting in a slot is not
    work."""
    return min(service_s, state.rise.service_s) if state.rise is not None else service_s


def _evaluate(state: SizingState, now: datetime) -> SizingState:
    """Conclude saturation when the added slots brought less than 0.7 of the throughput expected of their
    number.

    What completed in the window began one service time earlier, so it is compared with the slots of that
    time.
    """
    step = state.rise
    if step is None:
        return state
    lag = timedelta(seconds=step.service_s)
    window = max(_MIN_WINDOW, 2 * lag)
    if now - step.began_at < window or window + lag > _MAX_WINDOW_AND_LAG:
        return state
    done = sum(item.done for item in state.samples if item.at > now - window)
    used = _mean_used([item for item in state.samples if now - window - lag <= item.at <= now - lag])
    throughput = done / window.total_seconds()
    growth = used / step.capacity
    if growth < _MIN_GROWTH or throughput <= 0:
        return state
    if throughput < _SAME_THROUGHPUT * step.capacity / step.service_s:
        # No limit lowers the throughput when workers are added: the activities themselves have become longer.
        return replace(state, rise=None)
    gain = (throughput * step.service_s / step.capacity - 1) / (growth - 1)
    if gain >= _MIN_GAIN:
        return replace(state, rise=None) if now - step.changed_at >= window else state
    sufficient = max(1, int(HEADROOM * throughput * step.service_s))
    return replace(
        state, rise=None, saturated_at=now, saturated_slots=sufficient, saturated_service_s=step.service_s
    )


def _is_refuted(state: SizingState, now: datetime) -> bool:
    """Whether activities still take longer with the slots that should suffice: then the work itself was
    different.

    Evaluated while every slot is busy and the capacity was constant: workers that leave take their counters
    with them.
    """
    window = max(_MIN_WINDOW, timedelta(seconds=3 * state.saturated_service_s))
    steady = [item for item in state.samples if item.at > now - window - _SETTLE]
    if (
        state.saturated_at is None
        or now - state.saturated_at < window + _SETTLE
        or len({item.capacity for item in steady}) != 1
    ):
        return False
    if any(
        item.backlog == 0 or not _FULL * item.capacity <= item.used <= item.capacity / _FULL
        for item in steady
    ):
        return False
    throughput = sum(item.done for item in steady if item.at > now - window) / window.total_seconds()
    saturated_throughput = state.saturated_slots / HEADROOM / state.saturated_service_s
    if steady[-1].capacity > _EXCESS_SLOTS * state.saturated_slots:
        # The base workers alone have more slots than suffice: activities wait in them, so go by the
        # throughput.
        return throughput < _SAME_THROUGHPUT * saturated_throughput
    return _mean_used(steady) > _LONGER_SERVICE * state.saturated_service_s * max(throughput, 1e-9)


def _mean_used(samples: list[LoadSample]) -> float:
    return sum(item.used for item in samples) / len(samples) if samples else 0.0
