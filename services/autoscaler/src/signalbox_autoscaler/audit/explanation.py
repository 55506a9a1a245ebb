"""Explains a decision in a sentence for people: what was done, from which numbers, and what limited it."""

from collections.abc import Mapping
from typing import Final

from signalbox_autoscaler.model import (
    Binding,
    QueueSnapshot,
    ScalingAction,
    ScalingDecision,
    ScalingPolicy,
    SizingInputs,
)

_LIMITED_BY: Final[Mapping[Binding, str]] = {
    Binding.RUNNING_WORK: "limited to the {ceiling:,} activities that can run concurrently",
    Binding.IN_FLIGHT: "the workflows keep at most {ceiling:,} activities in flight",
    Binding.RATE_LIMIT: "limited by the rate limit{rate}, which {ceiling:,} slots exhaust",
    Binding.SATURATION: "more slots did not raise the throughput when last tried: {ceiling:,} suffice",
    Binding.MAX_WORKERS: "limited to {max_workers} workers in total",
    Binding.PER_TICK: "limited to {per_tick} workers per tick",
    Binding.PER_MINUTE: "limited to {per_minute} workers per minute",
    Binding.HOUR_BUDGET: (
        "limited by the hourly budget: {hour_left} {currency} left, {price} reserved per worker"
    ),
    Binding.DAY_BUDGET: (
        "limited by the daily budget: {day_left} {currency} left, {price} reserved per worker"
    ),
    Binding.BREAKER: (
        "circuit breaker open until {held_until} UTC: the last {zombies} launches produced no worker"
    ),
    Binding.BACK_OFF: "backing off until {held_until} UTC: failed launches in a row: {errors}",
}


def explain(policy: ScalingPolicy, snapshot: QueueSnapshot, decision: ScalingDecision) -> str:
    """One line: what was done, the numbers that led to it, and what limited it.

    For example "launched 6 workers: 4,100 tasks left at 0.9 s each, 200 slots would exceed the 60 s target by
    18 s".
    """
    done = _effects(policy, decision)
    if decision.binding is Binding.STALE:
        return f"{done}: {_stale_parts(snapshot)} could not be read; running workers are left alone"
    clauses = [_reason(policy, decision)]
    limit = _LIMITED_BY.get(decision.binding)
    if limit is not None:
        clauses.append(limit.format(**_facts(policy, snapshot, decision)))
    if decision.drained_s is not None and decision.foreseen_s is not None:
        took, predicted = _seconds(decision.drained_s), _seconds(decision.foreseen_s)
        clauses.append(f"the backlog was drained after {took}, predicted were {predicted}")
    return f"{done}: {'; '.join(clauses)}"


def _effects(policy: ScalingPolicy, decision: ScalingDecision) -> str:
    effects: list[str] = []
    if decision.workers:
        kind = "probe worker" if decision.action is ScalingAction.PROBE else "worker"
        effects.append(f"launched {_count(decision.workers, kind)}")
    if decision.retire:
        effects.append(f"drained {_count(len(decision.retire), 'worker')}")
    if decision.cancel:
        launches = _count(len(decision.cancel), "launch", "launches")
        effects.append(f"cancelled {launches} without any worker")
    if not effects:
        return "launched nothing"
    return ("would have " if policy.dry_run else "") + " and ".join(effects)


def _reason(policy: ScalingPolicy, decision: ScalingDecision) -> str:
    inputs = decision.terms
    if decision.binding is Binding.PROBE:
        return _unproven(decision)
    if inputs.has_work:
        return f"{_work(inputs)} at {_seconds(inputs.service_s)} each, {_outlook(policy, decision)}"
    if decision.retire:
        return f"{inputs.used:,} of {inputs.capacity:,} slots are in use and no task is waiting"
    return "no task is waiting"


def _outlook(policy: ScalingPolicy, decision: ScalingDecision) -> str:
    """How far the present and starting workers would get."""
    inputs = decision.terms
    target = f"the {_seconds(inputs.target_s)} target"
    arriving = f"{inputs.arrivals_per_s:,.1f} arrivals per second"
    if decision.binding is Binding.DRAINS:
        return f"{_slots(inputs)} finish it within {target}"
    if inputs.drain_s is None:
        return f"{_slots(inputs)} would never catch up with {arriving}"
    if decision.binding is Binding.TOO_SHORT:
        return f"{_slots(inputs)} need {_seconds(inputs.drain_s)}, less than a new worker needs to pay off"
    if inputs.drain_s <= inputs.target_s:
        return f"{_slots(inputs)} are too few for {target} with {arriving}"
    extended = f" (extended from {_seconds(policy.slo_s)})" if inputs.target_s > policy.slo_s else ""
    return f"{_slots(inputs)} would exceed {target}{extended} by {_seconds(inputs.drain_s - inputs.target_s)}"


def _unproven(decision: ScalingDecision) -> str:
    inputs = decision.terms
    if inputs.used:
        return f"{_work(inputs)}, but {inputs.used:,} activities run and none has completed for ten minutes"
    if decision.workers:
        return (
            f"{_work(inputs)}, possibly tasks of terminated workflows: no activity runs or completed lately"
        )
    idle = "but no activity runs or completed lately"
    return f"{_work(inputs)}, {idle}: waiting for a worker to take or discard them"


def _work(inputs: SizingInputs) -> str:
    if inputs.hint:
        return f"{_count(inputs.backlog, 'task')} waiting and {inputs.hint:,} still to be scheduled"
    return f"{_count(inputs.backlog, 'task')} left"


def _slots(inputs: SizingInputs) -> str:
    starting = f" and {inputs.pending:,} starting" if inputs.pending else ""
    return f"{inputs.capacity:,} slots{starting}"


def _stale_parts(snapshot: QueueSnapshot) -> str:
    parts = {
        "the backlog": snapshot.backlog_stale,
        "the workers' heartbeats": snapshot.workers_stale,
    }
    return " and ".join(name for name, stale in parts.items() if stale)


def _facts(policy: ScalingPolicy, snapshot: QueueSnapshot, decision: ScalingDecision) -> Mapping[str, object]:
    state = decision.state
    rates = [
        rate
        for rate in (policy.max_rate_per_s, snapshot.effective_rate_per_s, snapshot.hint_max_rate_per_s)
        if rate is not None
    ]
    return {
        "ceiling": decision.terms.ceiling or 0,
        "rate": f" of {min(rates):,.0f} per second" if rates else "",
        "max_workers": policy.max_workers,
        "per_tick": policy.max_launches_per_tick,
        "per_minute": policy.max_launches_per_minute,
        "hour_left": snapshot.hour_left,
        "day_left": snapshot.day_left,
        "currency": policy.currency,
        "price": f"{policy.reserve(1).normalize():f}",
        "held_until": f"{state.held_until:%H:%M:%S}" if state.held_until else "",
        "zombies": state.zombies,
        "errors": state.errors,
    }


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value < 10 else f"{value:,.0f} s"


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number:,} {one}" if number == 1 else f"{number:,} {many or one + 's'}"
