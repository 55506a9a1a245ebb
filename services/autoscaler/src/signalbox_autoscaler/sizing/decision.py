"""One decision: settle what was launched, look, size, hold it under ceilings, caps and budgets, retire what is too much."""

import math
import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from signalbox_autoscaler.model import (
    Action,
    Binding,
    Decision,
    Foreseen,
    Launch,
    Policy,
    Snapshot,
    State,
    Terms,
)
from signalbox_autoscaler.sizing.capacity import Fleet, count_fleet
from signalbox_autoscaler.sizing.ceilings import ceilings
from signalbox_autoscaler.sizing.demand import drain_s, terms
from signalbox_autoscaler.sizing.launch_outcomes import settle
from signalbox_autoscaler.sizing.limits import MINUTE, allowed
from signalbox_autoscaler.sizing.probes import is_hung, is_proven, probe_workers, watch_proof
from signalbox_autoscaler.sizing.rates import observe
from signalbox_autoscaler.sizing.saturation import watch_saturation
from signalbox_autoscaler.sizing.scale_in import retire, surplus_slots
from signalbox_core.ids import derived_id


def decide(policy: Policy, state: State, snapshot: Snapshot, now: datetime) -> Decision:
    """Choose which burst workers to launch, to retire and to give up.

    Args:
        state: of the decision before about this queue; an empty one at first.
        now: aware UTC; the only clock this function sees.

    Returns:
        What to do, every number that led to it, and the state for the next call.
    """
    if snapshot.backlog_stale or snapshot.workers_stale:
        fleet = count_fleet(policy, state, snapshot, now)
        seen = Terms(
            backlog=snapshot.activities, capacity=fleet.capacity, used=fleet.used, workers=fleet.workers
        )
        return Decision(
            action=Action.HOLD, binding=Binding.STALE, terms=seen, state=replace(state, surplus_ticks=0)
        )
    state, zombies = settle(policy, state, snapshot, now)
    fleet = count_fleet(policy, state, snapshot, now)
    state = observe(policy, state, snapshot, fleet, now)
    state = (
        watch_saturation(state, now)
        if policy.learns_saturation
        else replace(state, rise=None, saturated_at=None)
    )
    state = watch_proof(state, snapshot, fleet, now)
    found = terms(policy, state, snapshot, fleet, now)
    if is_proven(state, fleet, now):
        wanted, binding, found = _size(policy, state, snapshot, fleet, found, now)
    else:
        wanted, binding = (
            probe_workers(policy, state, snapshot, fleet, now),
            Binding.PROBE if _waits(found) else Binding.NONE,
        )
    probing = binding is Binding.PROBE
    workers, binding = _tightest(wanted, binding, allowed(policy, state, snapshot, fleet, now))
    surplus = surplus_slots(policy, state, snapshot, found, now)
    state, leaving = retire(state, fleet, surplus, growing=wanted > 0, waiting=_waits(found))
    launches = _launches(policy, snapshot.queue, workers, found.cold_start_s, now)
    found = replace(found, wanted=wanted, surplus=surplus, reserve=policy.reserve(workers))
    predicted_s = _predicted(found, fleet, workers * policy.slots_per_worker)
    over = None if _waits(found) else state.foreseen
    return Decision(
        action=_action(workers, leaving, zombies, probing=probing),
        binding=binding,
        terms=found,
        state=_after(_foresee(state, found, workers, predicted_s, now), workers, now, probing=probing),
        launches=launches,
        retire=leaving,
        cancel=zombies,
        predicted_drain_s=predicted_s,
        drained_s=(now - over.at).total_seconds() if over else None,
        foreseen_s=over.drain_s if over else None,
    )


def _size(
    policy: Policy, state: State, snapshot: Snapshot, fleet: Fleet, found: Terms, now: datetime
) -> tuple[int, Binding, Terms]:
    """The need, under the ceilings."""
    if is_hung(state, fleet, now):
        return 0, Binding.PROBE, found
    if not _waits(found):
        return 0, Binding.NONE, found
    if found.need == 0:
        return 0, Binding.DRAINS, found
    if found.drain_s is not None and found.drain_s <= found.cold_start_s + found.overhead_s:
        return 0, Binding.TOO_SHORT, found
    slots, ceiling = min(ceilings(policy, state, snapshot, now))
    room = max(0, math.ceil((slots - fleet.capacity - fleet.pending_slots) / policy.slots_per_worker))
    found = replace(found, ceiling=slots)
    return (room, ceiling, found) if room < found.need else (found.need, Binding.NONE, found)


def _waits(found: Terms) -> bool:
    return found.backlog > 0 or found.hint > 0


def _tightest(wanted: int, binding: Binding, caps: Sequence[tuple[int, Binding]]) -> tuple[int, Binding]:
    workers, cap = min(caps, key=lambda item: item[0])
    return (workers, cap) if workers < wanted else (wanted, binding)


def _launches(policy: Policy, queue: str, workers: int, cold_s: float, now: datetime) -> tuple[Launch, ...]:
    """Requests of at most `workers_per_launch`: a provider cancels a request as a whole."""
    sizes = [policy.workers_per_launch] * (workers // policy.workers_per_launch)
    sizes += [workers % policy.workers_per_launch] if workers % policy.workers_per_launch else []
    return tuple(
        Launch(
            launch_id=_launch_id(queue, now, number),
            queue=queue,
            workers=size,
            slots=policy.slots_per_worker,
            requested_at=now,
            eta_at=now + timedelta(seconds=cold_s),
            reserved=policy.reserve(size),
        )
        for number, size in enumerate(sizes)
    )


def _launch_id(queue: str, now: datetime, number: int) -> str:
    """The same for the same decision, so that a replay finds it; a name that every provider takes."""
    word = re.sub(r"[^a-z0-9]+", "-", queue.lower()).strip("-")[:20].strip("-") or "queue"
    return f"b-{word}-{derived_id(queue, now.isoformat(), length=10)}-{number}"


def _after(state: State, workers: int, now: datetime, *, probing: bool) -> State:
    lately = tuple(item for item in state.launched if now - item[0] < MINUTE)
    if workers == 0:
        return replace(state, launched=lately)
    state = replace(state, launched=(*lately, (now, workers)))
    return replace(state, probing_since=now, probes=state.probes + 1) if probing else state


def _foresee(state: State, found: Terms, workers: int, predicted_s: float | None, now: datetime) -> State:
    """Keep what the first launch for a backlog foresaw until the backlog is gone."""
    if not _waits(found):
        return replace(state, foreseen=None)
    if workers == 0 or predicted_s is None or state.foreseen is not None:
        return state
    return replace(state, foreseen=Foreseen(at=now, drain_s=predicted_s))


def _action(workers: int, leaving: tuple[str, ...], zombies: tuple[str, ...], *, probing: bool) -> Action:
    if workers:
        return Action.PROBE if probing else Action.LAUNCH
    return Action.CANCEL if zombies else Action.RETIRE if leaving else Action.HOLD


def _predicted(found: Terms, fleet: Fleet, new_slots: int) -> float | None:
    """When the backlog should be gone, with what was just launched."""
    if not _waits(found) or not found.service_s:
        return None if _waits(found) else 0.0
    slots = found.capacity + found.pending + new_slots
    return drain_s(
        slots,
        (found.backlog + found.hint) * found.service_s,
        found.arrivals_per_s * found.service_s,
        found.cold_start_s,
        fleet,
    )
