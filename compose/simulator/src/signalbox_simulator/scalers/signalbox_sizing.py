"""Signalbox's own sizing: the production `decide`, with snapshots from the simulation."""

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
from signalbox_simulator.engine import Simulation
from signalbox_simulator.worker import SimulatedWorker

EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)


class SignalboxSizing:
    """Runs `decide` at every tick and records its decisions as the service does."""

    name = "law"
    every_s = 5.0

    def __init__(self, policy: ScalingPolicy) -> None:
        self._policy = policy
        self.idle_exit_s: float | None = policy.idle_exit_s
        self._state = SizingState()
        self._launches: dict[str, Launch] = {}
        self._recorder = DecisionRecorder()
        self.records: list[ScalingDecisionRecord] = []

    def tick(self, simulation: Simulation) -> None:
        now = EPOCH + timedelta(seconds=simulation.now)
        snapshot = self._take_snapshot(simulation, now)
        decision = decide(self._policy, self._state, snapshot, now)
        record = self._recorder.record(
            Evaluation(policy=self._policy, state=self._state, snapshot=snapshot, decision=decision, epoch=1)
        )
        if record is not None:
            self.records.append(record)
        self._state = decision.state
        for launch in decision.launches:
            self._launches[launch.launch_id] = replace(launch, state=LaunchState.REQUESTED)
            simulation.launch(launch.workers, launch.launch_id)
        retiring = set(decision.retire)
        for worker in list(simulation.bursts.values()):
            if _identity(worker) in retiring:
                simulation.drain(worker)

    def _take_snapshot(self, simulation: Simulation, now: datetime) -> QueueSnapshot:
        running = {worker.launch for worker in simulation.bursts.values()}
        self._launches = {name: launch for name, launch in self._launches.items() if name in running}
        workers = [_observed(simulation.base, now)] if simulation.base.slots else []
        workers += [
            _observed(worker, now) for worker in simulation.bursts.values() if worker.up_at is not None
        ]
        hint = simulation.hint_remaining
        return QueueSnapshot(
            queue=simulation.trace.name,
            taken_at=now,
            activities=simulation.backlog,
            workers=tuple(workers),
            hint_remaining=hint,
            hint_max_in_flight=simulation.hint_in_flight if hint else None,
            effective_rate_per_s=simulation.trace.limit_per_s,
            rate_limiting_active=simulation.trace.limit_per_s is not None and simulation.backlog > 0,
            launches=tuple(self._launches.values()),
        )


def _identity(worker: SimulatedWorker) -> str:
    return f"burst:{worker.launch}:{worker.number}" if worker.number >= 0 else "base:0"


def _observed(worker: SimulatedWorker, now: datetime) -> WorkerSeen:
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
