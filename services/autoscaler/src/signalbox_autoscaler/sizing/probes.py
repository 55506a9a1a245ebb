"""Whether a backlog is work: tasks of a terminated workflow stay counted until a worker takes and discards them."""

from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from signalbox_autoscaler.model import Policy, Snapshot, State
from signalbox_autoscaler.sizing.capacity import Fleet

PROBE: Final = 2
_PROOF: Final = timedelta(seconds=30)
_FLAT: Final = timedelta(seconds=15)
_AGAIN_S: Final = 300.0
_AGAIN_AT_MOST_S: Final = 3_600.0
_HUNG: Final = timedelta(minutes=10)


def watch_proof(state: State, snapshot: Snapshot, fleet: Fleet, now: datetime) -> State:
    """Note since when a backlog waits without a sign of work; a sign forgets the probes."""
    if is_proven(state, fleet, now):
        return replace(state, flat_since=None, probing_since=None, probes=0)
    waits = snapshot.activities > 0 or snapshot.hint_remaining > 0
    return replace(state, flat_since=(state.flat_since or now) if waits else None)


def is_proven(state: State, fleet: Fleet, now: datetime) -> bool:
    """Whether workers run or lately finished activities of the queue."""
    return fleet.used > 0 or any(sample.done > 0 for sample in state.samples if now - sample.at <= _PROOF)


def is_hung(state: State, fleet: Fleet, now: datetime) -> bool:
    """Whether workers are busy and nothing was finished for ten minutes, longer than anything known takes."""
    if fleet.used == 0 or state.busy_since is None or any(sample.done > 0 for sample in state.samples):
        return False
    return now - state.busy_since > max(_HUNG, timedelta(seconds=3 * (state.service_s or 0.0)))


def probe_workers(policy: Policy, state: State, snapshot: Snapshot, fleet: Fleet, now: datetime) -> int:
    """How many workers to send to an unproven backlog: one or two, once; again after 5, 10, 20 … 60 minutes.

    Workers with free slots are left 15 s to take it: they discard what is phantom.
    """
    if fleet.coming or (snapshot.activities == 0 and fleet.capacity > 0):
        return 0
    if fleet.capacity > 0 and (state.flat_since is None or now - state.flat_since < _FLAT):
        return 0
    if state.probing_since is not None:
        wait_s = min(_AGAIN_AT_MOST_S, _AGAIN_S * 2 ** max(0, state.probes - 1))
        if (now - state.probing_since).total_seconds() < wait_s:
            return 0
    # Workflow tasks wait for a base worker: burst workers run activities.
    waiting = snapshot.activities
    return 0 if waiting == 0 else 1 if waiting <= policy.slots_per_worker else PROBE
