"""The outcomes of earlier launches: successes teach the cold start, failures hold further launches."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from signalbox_autoscaler.model import (
    OPEN,
    Launch,
    LaunchState,
    QueueSnapshot,
    ScalingPolicy,
    SizingState,
    WorkerSeen,
)
from signalbox_autoscaler.sizing.capacity import is_late
from signalbox_autoscaler.sizing.probes import withdraw_probe

BREAKER: Final = "breaker"
BACK_OFF: Final = "back_off"
_LEARNING_RATE: Final = 0.3
_FIRST_BACK_OFF_S: Final = 5.0
_MAX_BACK_OFF_S: Final = 300.0


def record_outcomes(
    policy: ScalingPolicy, state: SizingState, snapshot: QueueSnapshot, now: datetime
) -> tuple[SizingState, tuple[str, ...]]:
    """Count the outcome of each launch, once per launch.

    Returns:
        The state, and the launches to cancel: open, late, and without any worker.
    """
    state = _record_joined_workers(state, snapshot)
    zombies: list[str] = []
    for launch in snapshot.launches:
        if launch.state is LaunchState.FAILED:
            state = _record_failure(state, launch, snapshot, now)
        elif (
            launch.state in OPEN
            and not state.joined.get(launch.launch_id)
            and is_late(policy, state, launch, now)
        ):
            zombies.append(launch.launch_id)
            state = _record_zombie(policy, state, launch, now)
    known = {launch.launch_id for launch in snapshot.launches}
    joined = {launch_id: count for launch_id, count in state.joined.items() if launch_id in known}
    return replace(state, joined=joined, settled=state.settled & known), tuple(zombies)


def _record_joined_workers(state: SizingState, snapshot: QueueSnapshot) -> SizingState:
    """Count new workers by launch; the first one of a launch shows how long the cold start took.

    The first tick learns nothing: the workers that it finds may be replacements of those that started first.
    """
    by_id = {launch.launch_id: launch for launch in snapshot.launches}
    new = [
        worker
        for worker in snapshot.workers
        if worker.launch_id in by_id
        and (worker.identity not in state.processed or worker.launch_id not in state.joined)
    ]
    joined = dict(state.joined)
    for launch_id, count in Counter(worker.launch_id or "" for worker in new).items():
        if launch_id not in joined:
            workers = [worker for worker in new if worker.launch_id == launch_id]
            state = replace(state, zombies=0, errors=0)
            if state.tick > 0:
                state = _learn_cold_start(state, by_id[launch_id], workers)
        joined[launch_id] = joined.get(launch_id, 0) + count
    return replace(state, joined=joined)


def _learn_cold_start(state: SizingState, launch: Launch, workers: Sequence[WorkerSeen]) -> SizingState:
    first_at = min(worker.started_at or worker.heartbeat_at for worker in workers)
    measured_s = max(0.1, (first_at - launch.requested_at).total_seconds())
    before = state.cold_start_s
    learned = measured_s if before is None else before + _LEARNING_RATE * (measured_s - before)
    return replace(state, cold_start_s=learned)


def _record_zombie(policy: ScalingPolicy, state: SizingState, launch: Launch, now: datetime) -> SizingState:
    """Count a launch without workers; enough of them in a row open the circuit breaker."""
    if launch.launch_id in state.settled:
        return state
    state = replace(state, zombies=state.zombies + 1, settled=state.settled | {launch.launch_id})
    if state.zombies < policy.breaker_launches:
        return state
    return replace(state, held_until=now + timedelta(seconds=policy.breaker_hold_s), held_by=BREAKER)


def _record_failure(
    state: SizingState, launch: Launch, snapshot: QueueSnapshot, now: datetime
) -> SizingState:
    """Hold launches with exponential backoff. A probe of which no launch was made is repeated after it."""
    if launch.launch_id in state.settled:
        return state
    if not any(
        other.state is not LaunchState.FAILED and other.requested_at == launch.requested_at
        for other in snapshot.launches
    ):
        state = withdraw_probe(state, launch.requested_at)
    hold_s = min(_MAX_BACK_OFF_S, _FIRST_BACK_OFF_S * 2 ** min(state.errors, 10))
    until = max(now + timedelta(seconds=hold_s), state.held_until or now)
    return replace(
        state,
        errors=state.errors + 1,
        settled=state.settled | {launch.launch_id},
        held_until=until,
        held_by=BACK_OFF,
    )
