"""What caps and budgets let of the wanted workers pass."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from signalbox_autoscaler.model import Binding, Policy, Snapshot, State
from signalbox_autoscaler.sizing.capacity import Fleet
from signalbox_autoscaler.sizing.launch_outcomes import BREAKER

MINUTE: Final = timedelta(minutes=1)


def allowed(
    policy: Policy, state: State, snapshot: Snapshot, fleet: Fleet, now: datetime
) -> list[tuple[int, Binding]]:
    """How many workers each cap and budget allows now, the hardest to change first."""
    lately = sum(workers for at, workers in state.launched if now - at < MINUTE)
    found = [
        (policy.max_workers - fleet.workers, Binding.MAX_WORKERS),
        (_affordable(policy, snapshot.day_left), Binding.DAY_BUDGET),
        (_affordable(policy, snapshot.hour_left), Binding.HOUR_BUDGET),
        (policy.max_launches_per_minute - lately, Binding.PER_MINUTE),
        (policy.max_launches_per_tick, Binding.PER_TICK),
    ]
    if state.held_until is not None and now < state.held_until:
        found.insert(0, (0, Binding.BREAKER if state.held_by == BREAKER else Binding.BACK_OFF))
    return [(max(0, workers), binding) for workers, binding in found if workers is not None]


def _affordable(policy: Policy, left: Decimal | None) -> int | None:
    """Workers whose whole lifetime the rest of a budget pays."""
    if left is None:
        return None
    each = policy.reserve(1)
    return policy.max_workers if each == 0 else int(max(left, Decimal(0)) // each)
