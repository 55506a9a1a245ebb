"""The capacity of a queue's workers: those that are alive, and those that are starting."""

from datetime import datetime
from typing import Final

from msgspec import Struct

from signalbox_autoscaler.model import OPEN, Launch, QueueSnapshot, ScalingPolicy, SizingState, WorkerSeen

MISSED_HEARTBEATS: Final = 3


class StartingWorkers(Struct, frozen=True, kw_only=True):
    """Workers of an open launch that were not seen yet.

    Attributes:
        slots: of all of them.
        eta_s: expected arrival, in seconds from now; 0 when they are overdue.
    """

    workers: int
    slots: int
    eta_s: float


class WorkerFleet(Struct, frozen=True, kw_only=True):
    """The workers of a queue.

    Attributes:
        capacity: slots of the workers that take work.
        used: running activities, those of draining workers included.
        burst: burst workers that are alive, draining ones included.
    """

    capacity: int
    used: int
    burst: tuple[WorkerSeen, ...]
    starting: tuple[StartingWorkers, ...]

    @property
    def pending_slots(self) -> int:
        return sum(launch.slots for launch in self.starting)

    @property
    def workers(self) -> int:
        """Burst workers that are or will be paid for; `max_workers` limits them."""
        return len(self.burst) + sum(launch.workers for launch in self.starting)


def alive_workers(policy: ScalingPolicy, snapshot: QueueSnapshot, now: datetime) -> list[WorkerSeen]:
    """The workers with a recent heartbeat: Temporal lists a killed worker as running for more than a
    minute."""
    return [
        worker
        for worker in snapshot.workers
        if (now - worker.heartbeat_at).total_seconds() <= MISSED_HEARTBEATS * policy.heartbeat_s
    ]


def count_fleet(
    policy: ScalingPolicy, state: SizingState, snapshot: QueueSnapshot, now: datetime
) -> WorkerFleet:
    """Count workers and slots. The missing workers of an open launch count as starting until the launch is
    late."""
    alive = alive_workers(policy, snapshot, now)
    return WorkerFleet(
        capacity=sum(worker.slots for worker in alive if not worker.retiring),
        used=sum(worker.used for worker in alive),
        burst=tuple(worker for worker in alive if worker.is_burst),
        starting=tuple(
            starting
            for launch in snapshot.launches
            if launch.state in OPEN
            and not is_late(policy, state, launch, now)
            and (starting := _starting_workers(launch, state, now)).workers > 0
        ),
    )


def is_late(policy: ScalingPolicy, state: SizingState, launch: Launch, now: datetime) -> bool:
    """Whether the launch is past its timeout: workers of it that were not seen by now are not expected any
    more."""
    return (now - launch.requested_at).total_seconds() > max(
        policy.pending_timeout_s, 3 * cold_start_s(policy, state)
    )


def cold_start_s(policy: ScalingPolicy, state: SizingState) -> float:
    """Seconds from the request to the first activity: learned, or the policy's until then."""
    return policy.cold_start_s if state.cold_start_s is None else state.cold_start_s


def _starting_workers(launch: Launch, state: SizingState, now: datetime) -> StartingWorkers:
    workers = launch.workers - state.joined.get(launch.launch_id, 0)
    return StartingWorkers(
        workers=workers, slots=workers * launch.slots, eta_s=max(0.0, (launch.eta_at - now).total_seconds())
    )
