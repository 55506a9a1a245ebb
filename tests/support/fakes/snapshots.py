"""Snapshots for tests of the law: a clock, base workers, and ticks that carry the state."""

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
    """Calls `decide` every 5 s with what a test says is seen."""

    def __init__(self, policy: ScalingPolicy | None = None, *, queue: str = "invoices") -> None:
        self.policy = policy or ScalingPolicy()
        self.queue = queue
        self.state = SizingState()
        self.now = NOW
        self._done = 0
        self._used = 0

    def see(self, **seen: object) -> ScalingDecision:
        """One look; workers' heartbeats are as old as they say."""
        snapshot = self.snapshot(**seen)
        decision = decide(self.policy, self.state, snapshot, self.now)
        self.state = decision.state
        self.now += TICK
        return decision

    def snapshot(self, **seen: object) -> QueueSnapshot:
        """What is to be seen now."""
        return replace(QueueSnapshot(queue=self.queue, taken_at=self.now), **seen)

    def learn(self) -> "Ticks":
        """A light load on 200 base slots, until it is known that an activity takes a second."""
        for _ in range(5):
            self.see(workers=(self.base(used=2),))
        return self

    def busy(self, backlog: int, **seen: object) -> ScalingDecision:
        """A look at base workers that just became full while `backlog` activities wait."""
        return self.see(activities=backlog, workers=(self.base(used=200),), **seen)

    def base(self, slots: int = 200, *, used: int = 0, processed: int | None = None) -> WorkerSeen:
        """The base worker; without a count, each activity took it a second."""
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
        beat: timedelta = timedelta(0),
    ) -> WorkerSeen:
        return WorkerSeen(
            identity=f"burst:{launch}:{number}",
            slots=50,
            used=used,
            processed=processed,
            heartbeat_at=self.now - beat,
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
