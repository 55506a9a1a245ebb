"""`decide`: compose the rules into one decision about one queue."""

import math
import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from signalbox_autoscaler.model import (
    Binding,
    DrainForecast,
    Launch,
    QueueSnapshot,
    ScalingAction,
    ScalingDecision,
    ScalingPolicy,
    SizingInputs,
    SizingState,
)
from signalbox_autoscaler.sizing.capacity import count_fleet
from signalbox_autoscaler.sizing.demand import compute_inputs, drain_time_s
from signalbox_autoscaler.sizing.launch_outcomes import record_outcomes
from signalbox_autoscaler.sizing.limits import LAUNCH_RATE_WINDOW, slot_ceilings, worker_caps
from signalbox_autoscaler.sizing.probes import is_hung, is_proven, probe_workers, track_proof
from signalbox_autoscaler.sizing.rates import record_sample
from signalbox_autoscaler.sizing.saturation import detect_saturation
from signalbox_autoscaler.sizing.scale_in import choose_retirements, surplus_slots
from signalbox_autoscaler.sizing.sizing_inputs import Sizing
from signalbox_core.ids import derived_id


def decide(
    policy: ScalingPolicy, state: SizingState, snapshot: QueueSnapshot, now: datetime
) -> ScalingDecision:
    """Choose which burst workers to launch, which to retire and which launches to cancel.

    Args:
        state: from the previous decision about this queue; an empty one at first.
        now: aware UTC; the only clock of this function.

    Returns:
        What to do, every number it follows from, and the state for the next call.
    """
    if snapshot.backlog_stale or snapshot.workers_stale:
        return _hold_stale(policy, state, snapshot, now)
    state, zombies = record_outcomes(policy, state, snapshot, now)
    sizing = _evaluate(policy, state, snapshot, now)
    wanted, binding, ceiling = _wanted_workers(sizing)
    probing = binding is Binding.PROBE
    workers, binding = _apply_caps(wanted, binding, worker_caps(sizing))
    surplus = surplus_slots(sizing)
    state, retired = choose_retirements(sizing, surplus, growing=wanted > 0)
    inputs = replace(
        sizing.inputs, ceiling=ceiling, wanted=wanted, surplus=surplus, reserve=policy.reserve(workers)
    )
    predicted_s = _predicted_drain_s(sizing, workers * policy.slots_per_worker)
    fulfilled = None if inputs.has_work else state.foreseen
    state = _remember_forecast(state, inputs, workers, predicted_s, now)
    return ScalingDecision(
        action=_action(workers, retired, zombies, probing=probing),
        binding=binding,
        terms=inputs,
        state=_remember_launches(state, workers, now, probing=probing),
        launches=_launches(policy, snapshot.queue, workers, inputs.cold_start_s, now),
        retire=retired,
        cancel=zombies,
        predicted_drain_s=predicted_s,
        drained_s=(now - fulfilled.at).total_seconds() if fulfilled else None,
        foreseen_s=fulfilled.drain_s if fulfilled else None,
    )


def _hold_stale(
    policy: ScalingPolicy, state: SizingState, snapshot: QueueSnapshot, now: datetime
) -> ScalingDecision:
    fleet = count_fleet(policy, state, snapshot, now)
    inputs = SizingInputs(
        backlog=snapshot.activities, capacity=fleet.capacity, used=fleet.used, workers=fleet.workers
    )
    state = replace(state, surplus_ticks=0)
    return ScalingDecision(action=ScalingAction.HOLD, binding=Binding.STALE, terms=inputs, state=state)


def _evaluate(policy: ScalingPolicy, state: SizingState, snapshot: QueueSnapshot, now: datetime) -> Sizing:
    """Update the state with this tick's measurements, then compute the numbers of the formula."""
    fleet = count_fleet(policy, state, snapshot, now)
    sizing = Sizing(policy=policy, state=state, snapshot=snapshot, fleet=fleet, now=now)
    state = record_sample(sizing)
    state = (
        detect_saturation(state, now)
        if policy.learns_saturation
        else replace(state, rise=None, saturated_at=None)
    )
    sizing = replace(sizing, state=state)
    sizing = replace(sizing, state=track_proof(sizing))
    return replace(sizing, inputs=compute_inputs(sizing))


def _wanted_workers(sizing: Sizing) -> tuple[int, Binding, int | None]:
    """The need under the ceilings, or a probe.

    Returns:
        The number of workers, the constraint that set it, and the ceiling in slots if one was computed.
    """
    inputs = sizing.inputs
    if not is_proven(sizing):
        return probe_workers(sizing), Binding.PROBE if inputs.has_work else Binding.NONE, None
    if is_hung(sizing):
        return 0, Binding.PROBE, None
    if not inputs.has_work:
        return 0, Binding.NONE, None
    if inputs.need == 0:
        return 0, Binding.DRAINS, None
    if inputs.drain_s is not None and inputs.drain_s <= inputs.cold_start_s + inputs.overhead_s:
        return 0, Binding.TOO_SHORT, None
    ceiling, binding = min(slot_ceilings(sizing))
    free_slots = ceiling - inputs.capacity - inputs.pending
    room = max(0, math.ceil(free_slots / sizing.policy.slots_per_worker))
    return (room, binding, ceiling) if room < inputs.need else (inputs.need, Binding.NONE, ceiling)


def _apply_caps(wanted: int, binding: Binding, caps: Sequence[tuple[int, Binding]]) -> tuple[int, Binding]:
    workers, cap = min(caps, key=lambda item: item[0])
    return (workers, cap) if workers < wanted else (wanted, binding)


def _launches(
    policy: ScalingPolicy, queue: str, workers: int, cold_start_s: float, now: datetime
) -> tuple[Launch, ...]:
    """Split the workers into launches of at most `workers_per_launch`: a launch is cancelled as a whole."""
    full, rest = divmod(workers, policy.workers_per_launch)
    sizes = [policy.workers_per_launch] * full + ([rest] if rest else [])
    return tuple(
        Launch(
            launch_id=_launch_id(queue, now, number),
            queue=queue,
            workers=size,
            slots=policy.slots_per_worker,
            requested_at=now,
            eta_at=now + timedelta(seconds=cold_start_s),
            reserved=policy.reserve(size),
        )
        for number, size in enumerate(sizes)
    )


def _launch_id(queue: str, now: datetime, number: int) -> str:
    """Deterministic, so that recomputing a decision yields the same id; a valid name with every provider."""
    word = re.sub(r"[^a-z0-9]+", "-", queue.lower()).strip("-")[:20].strip("-") or "queue"
    return f"b-{word}-{derived_id(queue, now.isoformat(), length=10)}-{number}"


def _remember_launches(state: SizingState, workers: int, now: datetime, *, probing: bool) -> SizingState:
    recent = tuple(item for item in state.launched if now - item[0] < LAUNCH_RATE_WINDOW)
    if workers == 0:
        return replace(state, launched=recent)
    state = replace(state, launched=(*recent, (now, workers)))
    return replace(state, probing_since=now, probes=state.probes + 1) if probing else state


def _remember_forecast(
    state: SizingState, inputs: SizingInputs, workers: int, predicted_s: float | None, now: datetime
) -> SizingState:
    """Keep the forecast of the first launch for a backlog until that backlog is drained."""
    if not inputs.has_work:
        return replace(state, foreseen=None)
    if workers == 0 or predicted_s is None or state.foreseen is not None:
        return state
    return replace(state, foreseen=DrainForecast(at=now, drain_s=predicted_s))


def _action(
    workers: int, retired: tuple[str, ...], zombies: tuple[str, ...], *, probing: bool
) -> ScalingAction:
    if workers:
        return ScalingAction.PROBE if probing else ScalingAction.LAUNCH
    if zombies:
        return ScalingAction.CANCEL
    return ScalingAction.RETIRE if retired else ScalingAction.HOLD


def _predicted_drain_s(sizing: Sizing, new_slots: int) -> float | None:
    """When the backlog should be drained, with the launches of this decision; None: unknown."""
    inputs = sizing.inputs
    if not inputs.has_work:
        return 0.0
    if not inputs.service_s:
        return None
    return drain_time_s(
        sizing.fleet,
        slots=inputs.capacity + inputs.pending + new_slots,
        work_s=(inputs.backlog + inputs.hint) * inputs.service_s,
        load=inputs.arrivals_per_s * inputs.service_s,
        cold_start_s=inputs.cold_start_s,
    )
