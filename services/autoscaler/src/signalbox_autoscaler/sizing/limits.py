"""What bounds the number of workers, whatever the need.

A slot ceiling is the number of slots that can do useful work: more would wait for tasks, for a rate limit or
for a saturated dependency. A worker cap is what the policy and its budgets allow to be launched now.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from signalbox_autoscaler.model import Binding, QueueSnapshot, ScalingPolicy, SizingState
from signalbox_autoscaler.sizing.launch_outcomes import BREAKER
from signalbox_autoscaler.sizing.sizing_inputs import Sizing

HEADROOM: Final = 1.15
SATURATION_TTL: Final = timedelta(seconds=300)
LAUNCH_RATE_WINDOW: Final = timedelta(minutes=1)
_CONCURRENCY_WINDOW: Final = timedelta(seconds=15)


def slot_ceilings(sizing: Sizing) -> list[tuple[int, Binding]]:
    """The ceilings that are known now."""
    ceilings = [_concurrent_work(sizing)]
    slots = rate_limited_slots(sizing)
    if slots is not None:
        ceilings.append((slots, Binding.RATE_LIMIT))
    if _is_saturated(sizing.state, sizing.now):
        ceilings.append((sizing.state.saturated_slots, Binding.SATURATION))
    return ceilings


def external_ceiling(sizing: Sizing) -> int | None:
    """The lowest ceiling set outside the queue: workers above it are surplus even when their slots are
    occupied."""
    external = [
        slots
        for slots, binding in slot_ceilings(sizing)
        if binding in {Binding.RATE_LIMIT, Binding.SATURATION}
    ]
    return min(external, default=None)


def rate_limited_slots(sizing: Sizing) -> int | None:
    """The slots that exhaust a rate limit R, each occupied for the shortest service time: 1.15·R·S."""
    policy, state, snapshot = sizing.policy, sizing.state, sizing.snapshot
    rates = [
        rate
        for rate in (policy.max_rate_per_s, snapshot.effective_rate_per_s, _hinted_rate_per_s(snapshot))
        if rate is not None
    ]
    service_s = state.service_min_s or state.service_s
    if not rates or service_s is None:
        return None
    return max(1, int(HEADROOM * min(rates) * service_s))


def worker_caps(sizing: Sizing) -> list[tuple[int, Binding]]:
    """How many workers each cap and budget allows to be launched now. Of equal caps the first is reported."""
    policy, state, snapshot, now = sizing.policy, sizing.state, sizing.snapshot, sizing.now
    recent = sum(workers for at, workers in state.launched if now - at < LAUNCH_RATE_WINDOW)
    caps = [
        (policy.max_workers - sizing.fleet.workers, Binding.MAX_WORKERS),
        (_affordable_workers(policy, snapshot.day_left), Binding.DAY_BUDGET),
        (_affordable_workers(policy, snapshot.hour_left), Binding.HOUR_BUDGET),
        (policy.max_launches_per_minute - recent, Binding.PER_MINUTE),
        (policy.max_launches_per_tick, Binding.PER_TICK),
    ]
    if state.held_until is not None and now < state.held_until:
        caps.insert(0, (0, Binding.BREAKER if state.held_by == BREAKER else Binding.BACK_OFF))
    return [(max(0, workers), binding) for workers, binding in caps if workers is not None]


def _is_saturated(state: SizingState, now: datetime) -> bool:
    return state.saturated_at is not None and now - state.saturated_at < SATURATION_TTL


def _concurrent_work(sizing: Sizing) -> tuple[int, Binding]:
    """The number of concurrent activities: the minimum over the last 15 s with a backlog, so that a spike is
    ignored.

    A hint raises it to what the workflows will keep in flight, before that shows in the queue.
    """
    snapshot, samples = sizing.snapshot, sizing.state.samples
    present = least = snapshot.activities + (samples[-1].used if samples else 0)
    for sample in reversed(samples):
        if sizing.now - sample.at > _CONCURRENCY_WINDOW or sample.backlog == 0:
            break
        least = min(least, sample.backlog + sample.used)
    if snapshot.hint_remaining > 0 and not snapshot.hints_stale and snapshot.hint_max_in_flight is not None:
        in_flight = min(snapshot.hint_max_in_flight, present + snapshot.hint_remaining)
        if in_flight > least:
            return in_flight, Binding.IN_FLIGHT
    return least, Binding.RUNNING_WORK


def _hinted_rate_per_s(snapshot: QueueSnapshot) -> float | None:
    return snapshot.hint_max_rate_per_s if snapshot.hint_remaining > 0 and not snapshot.hints_stale else None


def _affordable_workers(policy: ScalingPolicy, left: Decimal | None) -> int | None:
    """The workers whose maximum lifetime the rest of a budget pays for; None: there is no budget."""
    if left is None:
        return None
    price = policy.reserve(1)
    return policy.max_workers if price == 0 else int(max(left, Decimal(0)) // price)
