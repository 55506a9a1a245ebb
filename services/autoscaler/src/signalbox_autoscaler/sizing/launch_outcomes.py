"""What became of the launches: which workers came, how long they took, which never did, which the provider refused."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from signalbox_autoscaler.model import OPEN, Launch, LaunchState, Policy, Snapshot, State
from signalbox_autoscaler.sizing.capacity import is_late

BREAKER: Final = "breaker"
BACK_OFF: Final = "back_off"
_LEARNING: Final = 0.3
_FIRST_BACK_OFF_S: Final = 5.0
_MAX_BACK_OFF_S: Final = 300.0


def settle(policy: Policy, state: State, snapshot: Snapshot, now: datetime) -> tuple[State, tuple[str, ...]]:
    """Count each launch's fate once.

    Returns:
        The state, and the launches to cancel: open, late, and no worker of them was ever seen.
    """
    state = _join(state, snapshot)
    zombies: list[str] = []
    for launch in snapshot.launches:
        if launch.state is LaunchState.FAILED:
            state = _refused(state, launch, now)
        elif (
            launch.state in OPEN
            and not state.joined.get(launch.launch_id)
            and is_late(policy, state, launch, now)
        ):
            zombies.append(launch.launch_id)
            state = _never_polled(policy, state, launch, now)
    known = {launch.launch_id for launch in snapshot.launches}
    joined = {launch_id: count for launch_id, count in state.joined.items() if launch_id in known}
    return replace(state, joined=joined, settled=state.settled & known), tuple(zombies)


def _join(state: State, snapshot: Snapshot) -> State:
    """Learn from the first worker of each launch how long a start takes."""
    by_id = {launch.launch_id: launch for launch in snapshot.launches}
    new = [
        worker
        for worker in snapshot.workers
        if worker.launch_id in by_id and worker.identity not in state.processed
    ]
    joined = dict(state.joined)
    for launch_id, count in Counter(worker.launch_id or "" for worker in new).items():
        if launch_id not in joined:
            beat_at = min(worker.heartbeat_at for worker in new if worker.launch_id == launch_id)
            took_s = max(0.1, (beat_at - by_id[launch_id].requested_at).total_seconds())
            before = state.cold_start_s
            learned = took_s if before is None else before + _LEARNING * (took_s - before)
            state = replace(state, cold_start_s=learned, zombies=0, errors=0)
        joined[launch_id] = joined.get(launch_id, 0) + count
    return replace(state, joined=joined)


def _never_polled(policy: Policy, state: State, launch: Launch, now: datetime) -> State:
    if launch.launch_id in state.settled:
        return state
    state = replace(state, zombies=state.zombies + 1, settled=state.settled | {launch.launch_id})
    if state.zombies < policy.breaker_launches:
        return state
    return replace(state, held_until=now + timedelta(seconds=policy.breaker_hold_s), held_by=BREAKER)


def _refused(state: State, launch: Launch, now: datetime) -> State:
    if launch.launch_id in state.settled:
        return state
    hold_s = min(_MAX_BACK_OFF_S, _FIRST_BACK_OFF_S * 2 ** min(state.errors, 10))
    until = max(now + timedelta(seconds=hold_s), state.held_until or now)
    return replace(
        state,
        errors=state.errors + 1,
        settled=state.settled | {launch.launch_id},
        held_until=until,
        held_by=BACK_OFF,
    )
