"""What the workers can do: those that beat, and those on their way."""

from datetime import datetime
from typing import Final

from msgspec import Struct

from signalbox_autoscaler.model import OPEN, Launch, Policy, Snapshot, State, WorkerSeen

MISSED_BEATS: Final = 3


class Coming(Struct, frozen=True, kw_only=True):
    """Workers of an open launch that were not seen yet; `eta_s` from now, 0 when they are late."""

    workers: int
    slots: int
    eta_s: float


class Fleet(Struct, frozen=True, kw_only=True):
    """Attributes:
    capacity: slots of workers that take work; used: activities running, also on those that drain.
    burst: burst workers that beat; alive and retiring ones both count towards `max_workers`.
    """

    capacity: int
    used: int
    burst: tuple[WorkerSeen, ...]
    coming: tuple[Coming, ...]

    @property
    def pending_slots(self) -> int:
        return sum(item.slots for item in self.coming)

    @property
    def workers(self) -> int:
        """Burst workers that are paid, or will be."""
        return len(self.burst) + sum(item.workers for item in self.coming)


def alive_workers(policy: Policy, snapshot: Snapshot, now: datetime) -> list[WorkerSeen]:
    """Those whose heartbeat is fresh: the server calls a killed worker running for more than a minute."""
    return [
        worker
        for worker in snapshot.workers
        if (now - worker.heartbeat_at).total_seconds() <= MISSED_BEATS * policy.heartbeat_s
    ]


def count_fleet(policy: Policy, state: State, snapshot: Snapshot, now: datetime) -> Fleet:
    """Add up the workers; a launch counts until it is too late, whether or not all of its workers came."""
    alive = alive_workers(policy, snapshot, now)
    return Fleet(
        capacity=sum(worker.slots for worker in alive if not worker.retiring),
        used=sum(worker.used for worker in alive),
        burst=tuple(worker for worker in alive if worker.is_burst),
        coming=tuple(
            coming
            for launch in snapshot.launches
            if launch.state in OPEN
            and not is_late(policy, state, launch, now)
            and (coming := _coming(launch, state, now)).workers > 0
        ),
    )


def is_late(policy: Policy, state: State, launch: Launch, now: datetime) -> bool:
    """Whether what has not come of a launch will not come."""
    return (now - launch.requested_at).total_seconds() > max(
        policy.pending_timeout_s, 3 * cold_start_s(policy, state)
    )


def cold_start_s(policy: Policy, state: State) -> float:
    """From the request to the first activity: as learned, or as the policy says."""
    return policy.cold_start_s if state.cold_start_s is None else state.cold_start_s


def _coming(launch: Launch, state: State, now: datetime) -> Coming:
    workers = launch.workers - state.joined.get(launch.launch_id, 0)
    return Coming(
        workers=workers, slots=workers * launch.slots, eta_s=max(0.0, (launch.eta_at - now).total_seconds())
    )
