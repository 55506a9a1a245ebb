"""The work of a queue, the time to do it in, and the workers that takes."""

import math
from typing import Final

from signalbox_autoscaler.model import SizingInputs
from signalbox_autoscaler.sizing.capacity import WorkerFleet, cold_start_s
from signalbox_autoscaler.sizing.rates import arrivals_per_s, current_service_s, throughput_per_s
from signalbox_autoscaler.sizing.saturation import uncontended_service_s
from signalbox_autoscaler.sizing.sizing_inputs import Sizing

_MIN_USEFUL_S: Final = 1.0
"""The working time assumed of a new worker when its cold start takes up the whole target."""


def compute_inputs(sizing: Sizing) -> SizingInputs:
    """Every number of the formula. `need` is 0 while the service time is unknown.

    The target is extended until a worker spends `efficiency_floor` (e) of its paid life working:
    T* = max(T, L + O·e/(1-e)).
    """
    policy, state, snapshot, fleet = sizing.policy, sizing.state, sizing.snapshot, sizing.fleet
    service_s = uncontended_service_s(state, current_service_s(state, sizing.now) or 0.0)
    cold_s = cold_start_s(policy, state)
    overhead_s = cold_s + policy.idle_exit_s / 2
    share = policy.efficiency_floor / (1 - policy.efficiency_floor)
    target_s = max(policy.slo_s, cold_s + overhead_s * share)
    hint = 0 if snapshot.hints_stale else snapshot.hint_remaining
    arrivals = arrivals_per_s(state)
    waiting_s = (snapshot.activities + hint) * service_s
    running_s = fleet.used * service_s / 2
    # With a hint the arrivals are the hinted activities: counting both would count them twice.
    work_s = running_s + (waiting_s if hint else waiting_s + arrivals * service_s * target_s)
    covered_s = fleet.capacity * target_s + sum(
        launch.slots * max(0.0, target_s - launch.eta_s) for launch in fleet.starting
    )
    slots = fleet.capacity + fleet.pending_slots
    useful_s = max(_MIN_USEFUL_S, target_s - cold_s)
    return SizingInputs(
        backlog=snapshot.activities,
        hint=hint,
        service_s=service_s,
        arrivals_per_s=arrivals,
        rate_per_s=throughput_per_s(state),
        capacity=fleet.capacity,
        used=fleet.used,
        pending=fleet.pending_slots,
        target_s=target_s,
        cold_start_s=cold_s,
        overhead_s=overhead_s,
        work_s=work_s,
        covered_s=covered_s,
        drain_s=drain_time_s(
            fleet, slots=slots, work_s=waiting_s, load=arrivals * service_s, cold_start_s=cold_s
        ),
        need=max(0, math.ceil((work_s - covered_s) / (policy.slots_per_worker * useful_s))),
        workers=fleet.workers,
    )


def drain_time_s(
    fleet: WorkerFleet, *, slots: int, work_s: float, load: float, cold_start_s: float
) -> float | None:
    """How long `slots` take to drain a backlog.

    Args:
        slots: present, starting and new ones; those that are not present yet contribute once they arrive.
        work_s: the backlog, in slot-seconds.
        load: slots that are occupied by new arrivals.

    Returns:
        Seconds, or None when the slots never catch up with the arrivals.
    """
    if work_s <= 0:
        return 0.0
    spare = slots - load
    if spare <= 0:
        return None
    absent_until_s = cold_start_s if slots > fleet.capacity else 0.0
    eta_s = max((launch.eta_s for launch in fleet.starting), default=absent_until_s)
    late_slot_s = (slots - fleet.capacity) * eta_s
    return (work_s + late_slot_s) / spare
