"""How much work there is, in what time it should be done, and how many workers that takes."""

import math
from datetime import datetime
from typing import Final

from signalbox_autoscaler.model import Policy, Snapshot, State, Terms
from signalbox_autoscaler.sizing.capacity import Fleet, cold_start_s
from signalbox_autoscaler.sizing.rates import arrivals_per_s, rate_per_s, service_s
from signalbox_autoscaler.sizing.saturation import sized_service_s

_LEAST_USE_S: Final = 1.0
"""A worker is of use for this long at least, whatever the cold start leaves of the target."""


def terms(policy: Policy, state: State, snapshot: Snapshot, fleet: Fleet, now: datetime) -> Terms:
    """Every number of the formula; `need` is 0 while the service time is unknown.

    The target is stretched until a worker works for `efficiency_floor` of its paid life: T* = max(T, L + O·e/(1-e)).
    """
    each_s = sized_service_s(state, service_s(state, now) or 0.0)
    cold_s = cold_start_s(policy, state)
    overhead_s = cold_s + policy.idle_exit_s / 2
    share = policy.efficiency_floor / (1 - policy.efficiency_floor)
    target_s = max(policy.slo_s, cold_s + overhead_s * share)
    hint = 0 if snapshot.hints_stale else snapshot.hint_remaining
    arrivals = arrivals_per_s(state)
    waiting_s = (snapshot.activities + hint) * each_s
    running_s = fleet.used * each_s / 2
    work_s = running_s + (waiting_s if hint else waiting_s + arrivals * each_s * target_s)
    covered_s = fleet.capacity * target_s + sum(
        item.slots * max(0.0, target_s - item.eta_s) for item in fleet.coming
    )
    slots = fleet.capacity + fleet.pending_slots
    use_s = max(_LEAST_USE_S, target_s - cold_s)
    return Terms(
        backlog=snapshot.activities,
        hint=hint,
        service_s=each_s,
        arrivals_per_s=arrivals,
        rate_per_s=rate_per_s(state),
        capacity=fleet.capacity,
        used=fleet.used,
        pending=fleet.pending_slots,
        target_s=target_s,
        cold_start_s=cold_s,
        overhead_s=overhead_s,
        work_s=work_s,
        covered_s=covered_s,
        drain_s=drain_s(slots, waiting_s, arrivals * each_s, cold_s, fleet),
        need=max(0, math.ceil((work_s - covered_s) / (policy.slots_per_worker * use_s))),
        workers=fleet.workers,
    )


def drain_s(slots: int, work_s: float, load: float, cold_s: float, fleet: Fleet) -> float | None:
    """How long `slots` take for `work_s` slot-seconds beside a load of so many slots; None: for ever.

    Slots on their way begin when they arrive.
    """
    if work_s <= 0:
        return 0.0
    spare = slots - load
    if spare <= 0:
        return None
    eta_s = max((item.eta_s for item in fleet.coming), default=cold_s if slots > fleet.capacity else 0.0)
    late_slot_s = (slots - fleet.capacity) * eta_s
    return (work_s + late_slot_s) / spare
