"""Whether a backlog is real: the tasks of a terminated workflow stay counted until a worker discards them."""

from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from signalbox_autoscaler.model import SizingState
from signalbox_autoscaler.sizing.sizing_inputs import Sizing

MAX_PROBE_WORKERS: Final = 2
_PROOF_TTL: Final = timedelta(seconds=30)
_GRACE: Final = timedelta(seconds=15)
_FIRST_RETRY_S: Final = 300.0
_MAX_RETRY_S: Final = 3_600.0
_HUNG_AFTER: Final = timedelta(minutes=10)


def track_proof(sizing: Sizing) -> SizingState:
    """Remember since when a backlog has waited without a sign of work; any sign resets the probes."""
    state, snapshot = sizing.state, sizing.snapshot
    if is_proven(sizing):
        return replace(state, flat_since=None, probing_since=None, probes=0)
    waits = snapshot.activities > 0 or snapshot.hint_remaining > 0
    return replace(state, flat_since=(state.flat_since or sizing.now) if waits else None)


def withdraw_probe(state: SizingState, at: datetime) -> SizingState:
    """Forget the last probe, if it was sent at this time: none of its workers was launched."""
    if state.probing_since != at:
        return state
    return replace(state, probing_since=None, probes=state.probes - 1)


def is_proven(sizing: Sizing) -> bool:
    """Whether activities of the queue run now or completed in the last 30 s."""
    return sizing.fleet.used > 0 or any(
        sample.done > 0 for sample in sizing.state.samples if sizing.now - sample.at <= _PROOF_TTL
    )


def is_hung(sizing: Sizing) -> bool:
    """Whether activities run and none completed for ten minutes (or three times their usual duration, if
    longer)."""
    state = sizing.state
    if sizing.fleet.used == 0 or state.busy_since is None or any(sample.done > 0 for sample in state.samples):
        return False
    return sizing.now - state.busy_since > max(_HUNG_AFTER, timedelta(seconds=3 * (state.service_s or 0.0)))


def probe_workers(sizing: Sizing) -> int:
    """How many workers to launch for an unproven backlog: one or two, and again after 5, 10, 20 … 60 minutes.

    Workers that are alive get 15 s first to take the tasks, or to discard those that are not real.
    """
    policy, state, snapshot, fleet = sizing.policy, sizing.state, sizing.snapshot, sizing.fleet
    if fleet.starting or (snapshot.activities == 0 and fleet.capacity > 0):
        return 0
    if fleet.capacity > 0 and (state.flat_since is None or sizing.now - state.flat_since < _GRACE):
        return 0
    if state.probing_since is not None:
        wait_s = min(_MAX_RETRY_S, _FIRST_RETRY_S * 2 ** max(0, state.probes - 1))
        if (sizing.now - state.probing_since).total_seconds() < wait_s:
            return 0
    # Burst workers run activities only, so workflow tasks are no reason for a probe.
    if snapshot.activities == 0:
        return 0
    return 1 if snapshot.activities <= policy.slots_per_worker else MAX_PROBE_WORKERS
