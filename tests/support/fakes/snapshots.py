"""Snapshots for tests of the sizing algorithm: a clock, workers, and ticks that carry the state."""

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from signalbox_autoscaler.model import (
    Launch,
    QueueSnapshot,
    ScalingDecision,
    ScalingPolicy,
    SizingState,
    WorkerSeen,
)
from signalbox_autoscaler.sizing import decide

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TICK = timedelta(seconds=5)


class Ticks:
    """Calls `decide` every 5 s of a simulated clock with the snapshots of a test."""

    def __init__(self, policy: ScalingPolicy | None = None, *, queue: str = "invoices") -> None:
        self.policy = policy or ScalingPolicy()
        self.queue = queue
        self.state = SizingState()
        self.now = NOW
        self._done = 0
        self._used = 0

    def see(self, **observed: object) -> ScalingDecision:
        """One tick with the given fields of the snapshot."""
        snapshot = self.snapshot(**observed)
        decision = decide(self.policy, self.state, snapshot, self.now)
        self.state = decision.state
        self.now += TICK
        return decision

    def snapshot(self, **observed: object) -> QueueSnapshot:
        """The snapshot of the present tick."""
        return replace(QueueSnapshot(queue=self.queue, taken_at=self.now), **observed)

    def learn(self) -> "Ticks":
        """Run a light load on 200 base slots until the service time of one second is learned."""
        for _ in range(5):
            self.see(workers=(self.base(used=2),))
        return self

    def busy(self, backlog: int, **observed: object) -> ScalingDecision:
        """One tick in which the base workers have just become full and `backlog` activities wait."""
        return self.see(activities=backlog, workers=(self.base(used=200),), **observed)

    def base(self, slots: int = 200, *, used: int = 0, processed: int | None = None) -> WorkerSeen:
        """The base worker; unless `processed` is given, each of its activities took a second."""
        if processed is None:
            self._done += (self._used + used) * TICK.seconds // 2
            self._used = used
            processed = self._done
        return WorkerSeen(
            identity="base:1", slots=slots, used=used, processed=processed, heartbeat_at=self.now
        )

    def burst(
        self,
        number: int,
        *,
        used: int = 0,
        processed: int = 0,
        launch: str = "b-1",
        heartbeat_age: timedelta = timedelta(0),
    ) -> WorkerSeen:
        return WorkerSeen(
            identity=f"burst:{launch}:{number}",
            slots=50,
            used=used,
            processed=processed,
            heartbeat_at=self.now - heartbeat_age,
            is_burst=True,
            launch_id=launch,
        )

    def launch(self, launch_id: str = "b-1", *, workers: int = 1, ago: timedelta = timedelta(0)) -> Launch:
        at = self.now - ago
        return Launch(
            launch_id=launch_id,
            queue=self.queue,
            workers=workers,
            slots=50,
            requested_at=at,
            eta_at=at + timedelta(seconds=20),
        )
