"""Which burst workers to drain because they are not needed any more. They finish their running activities."""

from typing import Final

from msgspec.structs import replace

from signalbox_autoscaler.model import SizingState, WorkerSeen
from signalbox_autoscaler.sizing.limits import external_ceiling
from signalbox_autoscaler.sizing.sizing_inputs import Sizing

SURPLUS_TICKS: Final = 3
IDLE_SURPLUS_TICKS: Final = 2
"""Without a backlog: earlier than an idle worker exits on its own."""
_USED_HEADROOM: Final = 1.2
_START_BACKLOG_S: Final = 10.0


def surplus_slots(sizing: Sizing) -> int:
    """The slots beyond 1.2 × the running work and what it takes to start the backlog within 10 s.

    Slots above an external ceiling are surplus even when they are occupied.
    """
    inputs = sizing.inputs
    needed = (
        _USED_HEADROOM * inputs.used + (inputs.backlog + inputs.hint) * inputs.service_s / _START_BACKLOG_S
    )
    if inputs.has_work and not inputs.service_s:
        return 0
    ceiling = external_ceiling(sizing)
    if ceiling is not None:
        needed = min(needed, ceiling)
    return max(0, int(inputs.capacity - needed))


def choose_retirements(sizing: Sizing, surplus: int, *, growing: bool) -> tuple[SizingState, tuple[str, ...]]:
    """Retire the least busy workers that fit into a surplus that lasted three ticks (two without a backlog).

    Args:
        growing: workers are about to be launched; nobody is retired then.

    Returns:
        The state, and the identities of the workers.
    """
    state = sizing.state
    active = sorted((worker for worker in sizing.fleet.burst if not worker.retiring), key=_utilization)
    if growing or not active or surplus < active[0].slots:
        return replace(state, surplus_ticks=0), ()
    ticks = state.surplus_ticks + 1
    if ticks < (SURPLUS_TICKS if sizing.inputs.has_work else IDLE_SURPLUS_TICKS):
        return replace(state, surplus_ticks=ticks), ()
    retired: list[str] = []
    for worker in active:
        if worker.slots <= surplus:
            retired.append(worker.identity)
            surplus -= worker.slots
    return replace(state, surplus_ticks=0), tuple(retired)


def _utilization(worker: WorkerSeen) -> tuple[float, str]:
    return worker.used / max(1, worker.slots), worker.identity
