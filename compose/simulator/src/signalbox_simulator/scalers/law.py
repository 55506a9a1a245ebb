"""The production `decide`, seeing the simulated world as it would see Temporal."""

from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec.structs import replace

from signalbox_autoscaler.audit.records import DecisionRecorder, Evaluation
from signalbox_autoscaler.model import (
    Launch,
    LaunchState,
    QueueSnapshot,
    ScalingDecisionRecord,
    ScalingPolicy,
    SizingState,
    WorkerSeen,
)
from signalbox_autoscaler.sizing import decide
from signalbox_simulator.engine import Worker, World

EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)


class Law:
    """Keeps the records of its decisions, as the service does."""

    name = "law"
    every_s = 5.0

    def __init__(self, policy: ScalingPolicy) -> None:
        self._policy = policy
        self.idle_exit_s: float | None = policy.idle_exit_s
        self._state = SizingState()
        self._launches: dict[str, Launch] = {}
        self._recorder = DecisionRecorder()
        self.records: list[ScalingDecisionRecord] = []

    def look(self, world: World) -> None:
        now = EPOCH + timedelta(seconds=world.now)
        snapshot = self._see(world, now)
        decision = decide(self._policy, self._state, snapshot, now)
        record = self._recorder.record(
            Evaluation(policy=self._policy, state=self._state, snapshot=snapshot, decision=decision, epoch=1)
        )
        if record is not None:
            self.records.append(record)
        self._state = decision.state
        for launch in decision.launches:
            self._launches[launch.launch_id] = replace(launch, state=LaunchState.REQUESTED)
            world.launch(launch.workers, launch.launch_id)
        leaving = set(decision.retire)
        for worker in list(world.bursts.values()):
            if _identity(worker) in leaving:
                world.drain(worker)

    def _see(self, world: World, now: datetime) -> QueueSnapshot:
        alive = {worker.launch for worker in world.bursts.values()}
        self._launches = {name: launch for name, launch in self._launches.items() if name in alive}
        workers = [_seen(world.base, now)] if world.base.slots else []
        workers += [_seen(worker, now) for worker in world.bursts.values() if worker.up_at is not None]
        hint = world.hint_remaining
        return QueueSnapshot(
            queue=world.trace.name,
            taken_at=now,
            activities=world.backlog,
            workers=tuple(workers),
            hint_remaining=hint,
            hint_max_in_flight=world.hint_in_flight if hint else None,
            effective_rate_per_s=world.trace.limit_per_s,
            rate_limiting_active=world.trace.limit_per_s is not None and world.backlog > 0,
            launches=tuple(self._launches.values()),
        )


def _identity(worker: Worker) -> str:
    return f"burst:{worker.launch}:{worker.number}" if worker.number >= 0 else "base:0"


def _seen(worker: Worker, now: datetime) -> WorkerSeen:
    return WorkerSeen(
        identity=_identity(worker),
        slots=worker.slots,
        used=len(worker.tasks),
        processed=worker.done,
        heartbeat_at=now,
        is_burst=worker.number >= 0,
        launch_id=worker.launch or None,
        retiring=worker.draining,
    )
