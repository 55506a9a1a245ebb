"""A decision in sentences, for people: what was done, from which numbers, and what held it back."""

from collections.abc import Mapping
from typing import Final

from signalbox_autoscaler.model import Action, Binding, Decision, Policy, Snapshot, Terms

_WHY: Final[Mapping[Binding, str]] = {
    Binding.RUNNING_WORK: "no more than {ceiling:,} activities can run at once",
    Binding.IN_FLIGHT: "the workflows keep no more than {ceiling:,} in flight",
    Binding.RATE_LIMIT: "capped by the rate limit{rate}, which {ceiling:,} slots use up",
    Binding.SATURATION: "more slots brought no more throughput when last tried: {ceiling:,} suffice",
    Binding.MAX_WORKERS: "capped at {max_workers} workers in all",
    Binding.PER_TICK: "capped at {per_tick} workers a look",
    Binding.PER_MINUTE: "capped at {per_minute} workers a minute",
    Binding.HOUR_BUDGET: "capped by the budget of this hour: {hour_left} {currency} are left, a worker may cost {each}",
    Binding.DAY_BUDGET: "capped by the budget of this day: {day_left} {currency} are left, a worker may cost {each}",
    Binding.BREAKER: "no launches until {held_until}: of the last {zombies} no worker ever polled",
    Binding.BACK_OFF: "no launches until {held_until}: the provider refused the last {errors}",
}


def explain(policy: Policy, snapshot: Snapshot, decision: Decision) -> str:
    """One line, like "launched 6: 4,100 tasks left, 0.9 s each, 200 slots would need 18 s more than the 60 s target"."""
    said = [_deed(policy, decision)]
    if decision.binding is Binding.STALE:
        return f"{said[0]}: {_stale(snapshot)}; what is there keeps working"
    because = _because(policy, decision)
    cap = _WHY.get(decision.binding)
    clauses = [because] + ([cap.format(**_facts(policy, snapshot, decision))] if cap else [])
    if decision.drained_s is not None and decision.foreseen_s is not None:
        clauses.append(
            f"the backlog was gone after {_seconds(decision.drained_s)}, {_seconds(decision.foreseen_s)} were foreseen"
        )
    said.append("; ".join(clause for clause in clauses if clause))
    return ": ".join(part for part in said if part)


def _deed(policy: Policy, decision: Decision) -> str:
    would = "would have " if policy.dry_run else ""
    deeds: list[str] = []
    if decision.workers:
        verb = "sent a probe of" if decision.action is Action.PROBE else "launched"
        deeds.append(f"{would}{verb} {decision.workers}")
    if decision.retire:
        deeds.append(f"{would}told {_count(len(decision.retire), 'worker')} to drain")
    if decision.cancel:
        deeds.append(
            f"{would}cancelled {_count(len(decision.cancel), 'launch', 'launches')} of which no worker ever polled"
        )
    return " and ".join(deeds) or "launched nothing"


def _because(policy: Policy, decision: Decision) -> str:
    terms = decision.terms
    if decision.binding is Binding.PROBE:
        return _unproven(decision)
    if terms.backlog or terms.hint:
        return f"{_left(terms)}, {_seconds(terms.service_s)} each, {_outlook(policy, decision)}"
    return (
        f"{terms.used:,} of {terms.capacity:,} slots are in use and nothing waits"
        if decision.retire
        else "nothing waits"
    )


def _outlook(policy: Policy, decision: Decision) -> str:
    """How far the workers there are would get."""
    terms = decision.terms
    target = f"the {_seconds(terms.target_s)} target"
    arriving = f"{terms.arrivals_per_s:,.1f} arrivals a second"
    if decision.binding is Binding.DRAINS:
        return f"{_slots(terms)} will do it within {target}"
    if terms.drain_s is None:
        return f"{_slots(terms)} would never catch up with {arriving}"
    if decision.binding is Binding.TOO_SHORT:
        return f"{_slots(terms)} need {_seconds(terms.drain_s)}, no longer than a new worker costs to start"
    if terms.drain_s <= terms.target_s:
        return f"{_slots(terms)} beside {arriving} are too few for {target}"
    stretched = (
        f" (stretched from {_seconds(policy.slo_s)}, so that a start pays)"
        if terms.target_s > policy.slo_s
        else ""
    )
    return (
        f"{_slots(terms)} would need {_seconds(terms.drain_s - terms.target_s)} more than {target}{stretched}"
    )


def _unproven(decision: Decision) -> str:
    terms = decision.terms
    if terms.used:
        return f"{_left(terms)}, but {terms.used:,} activities run and none has finished for ten minutes"
    if decision.workers:
        return f"{_left(terms)}, and nothing shows that they are more than tasks of ended workflows"
    return f"{_left(terms)}, and nothing has been finished: waiting for a worker to take them or discard them"


def _left(terms: Terms) -> str:
    if terms.hint:
        return f"{terms.backlog:,} tasks wait and {terms.hint:,} are still to be scheduled"
    return f"{_count(terms.backlog, 'task')} left"


def _slots(terms: Terms) -> str:
    coming = f" and {terms.pending:,} on their way" if terms.pending else ""
    return f"{terms.capacity:,} slots{coming}"


def _stale(snapshot: Snapshot) -> str:
    parts = [
        name
        for name, stale in (
            ("the backlog", snapshot.backlog_stale),
            ("the workers' heartbeats", snapshot.workers_stale),
        )
        if stale
    ]
    return f"{' and '.join(parts)} could not be read"


def _facts(policy: Policy, snapshot: Snapshot, decision: Decision) -> Mapping[str, object]:
    state = decision.state
    rates = [
        rate
        for rate in (policy.max_rate_per_s, snapshot.effective_rate_per_s, snapshot.hint_max_rate_per_s)
        if rate is not None
    ]
    return {
        "ceiling": decision.terms.ceiling or 0,
        "rate": f" of {min(rates):,.0f} a second" if rates else "",
        "max_workers": policy.max_workers,
        "per_tick": policy.max_launches_per_tick,
        "per_minute": policy.max_launches_per_minute,
        "hour_left": snapshot.hour_left,
        "day_left": snapshot.day_left,
        "currency": policy.currency,
        "each": f"{policy.reserve(1).normalize():f}",
        "held_until": f"{state.held_until:%H:%M:%S}" if state.held_until else "",
        "zombies": state.zombies,
        "errors": state.errors,
    }


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value < 10 else f"{value:,.0f} s"


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number:,} {one}" if number == 1 else f"{number:,} {many or one + 's'}"
