"""Which burst workers are not needed any more. They are told to drain, never killed."""

from datetime import datetime
from typing import Final

from msgspec.structs import replace

from signalbox_autoscaler.model import Policy, Snapshot, State, Terms, WorkerSeen
from signalbox_autoscaler.sizing.capacity import Fleet
from signalbox_autoscaler.sizing.ceilings import lasting_ceiling

TICKS: Final = 3
IDLE_TICKS: Final = 2
"""When nothing waits: sooner than an idle worker leaves by itself."""
_HEADROOM: Final = 1.2
_DRAIN_S: Final = 10.0


def surplus_slots(policy: Policy, state: State, snapshot: Snapshot, terms: Terms, now: datetime) -> int:
    """Slots beyond what runs (with a fifth more) and what it takes to start the backlog within 10 s.

    Above a limit that lasts, workers are surplus even while they wait in it.
    """
    needed = _HEADROOM * terms.used + (terms.backlog + terms.hint) * terms.service_s / _DRAIN_S
    if (terms.backlog or terms.hint) and not terms.service_s:
        return 0
    ceiling = lasting_ceiling(policy, state, snapshot, now)
    if ceiling is not None:
        needed = min(needed, ceiling)
    return max(0, int(terms.capacity - needed))


def retire(
    state: State, fleet: Fleet, surplus: int, *, growing: bool, waiting: bool
) -> tuple[State, tuple[str, ...]]:
    """After three looks in a row with a whole worker too many (two when nothing waits): the least busy that fit into the surplus."""
    staying = sorted((worker for worker in fleet.burst if not worker.retiring), key=_busyness)
    if growing or not staying or surplus < staying[0].slots:
        return replace(state, surplus_ticks=0), ()
    ticks = state.surplus_ticks + 1
    if ticks < (TICKS if waiting else IDLE_TICKS):
        return replace(state, surplus_ticks=ticks), ()
    chosen: list[str] = []
    for worker in staying:
        if worker.slots <= surplus:
            chosen.append(worker.identity)
            surplus -= worker.slots
    return replace(state, surplus_ticks=0), tuple(chosen)


def _busyness(worker: WorkerSeen) -> tuple[float, str]:
    return worker.used / max(1, worker.slots), worker.identity
