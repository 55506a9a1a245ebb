"""Observes all queues in one pass: backlogs, workers, hints. `build_snapshot` extracts one queue."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from msgspec import Struct
from msgspec.structs import replace
from redis.asyncio import Redis

from signalbox_autoscaler.model import Launch, QueueSnapshot, ScalingPolicy, Spending, WorkerSeen
from signalbox_autoscaler.observe.heartbeats import queues_without_heartbeats
from signalbox_autoscaler.observe.temporal_metrics import QueueBacklog, TemporalMetrics
from signalbox_core.errors import Unavailable
from signalbox_core.redis.client import map_redis_errors
from signalbox_core.scaling.burst import retire_key
from signalbox_core.scaling.hints import Hint, Hints

CACHED_FOR: Final = timedelta(seconds=5)
"""Temporal caches a queue's statistics for five seconds: an earlier call would return the same ones."""
STALE_AFTER: Final = timedelta(seconds=12)
_EMPTY: Final = QueueBacklog(
    activities=0, workflow_tasks=0, oldest_s=0.0, rate_per_s=None, rate_limiting_active=False
)


class Observation(Struct, frozen=True, kw_only=True):
    """The last known values of all queues. A part that could not be refreshed keeps its older value and its
    time.

    Attributes:
        backlogs: by queue, each with the time it was read.
        retired: identities of the burst workers that were requested to drain.
        without_heartbeats: queues that workers poll without sending heartbeats; their capacity is unknown.
        list_error: why Temporal did not list its workers; None: it did.
    """

    backlogs: Mapping[str, tuple[datetime, QueueBacklog]] = {}
    workers: Mapping[str, Sequence[WorkerSeen]] = {}
    workers_at: datetime | None = None
    hints: Mapping[str, Mapping[str, Hint]] = {}
    hints_at: datetime | None = None
    retired: frozenset[str] = frozenset()
    without_heartbeats: frozenset[str] = frozenset()
    list_error: str | None = None


class Observer:
    """Observes every queue that was named or ever had a worker: a queue that lost its last worker needs one
    most.

    Args:
        queues: observed from the start.
    """

    def __init__(self, temporal: TemporalMetrics, redis: Redis, queues: Iterable[str]) -> None:
        self._temporal = temporal
        self._redis = redis
        self._hints = Hints(redis)
        self._queues = set(queues)
        self._last = Observation()

    @property
    def queues(self) -> list[str]:
        return sorted(self._queues)

    def add_queues(self, queues: Iterable[str]) -> None:
        self._queues |= set(queues)

    async def observe(self, now: datetime) -> Observation:
        """Refresh everything. Never raises: what cannot be read keeps its older value.

        Costs one call per 1,000 workers, two per queue whose backlog is older than 5 s, and two round trips
        to Redis.
        """
        await self._refresh_workers(now)
        await asyncio.gather(self._refresh_backlogs(now), self._refresh_hints(now), self._refresh_retired())
        self._check_heartbeats(now)
        return self._last

    async def poll_workers(self, now: datetime) -> Observation:
        """Refresh the workers only. A follower does this to check Temporal and to discover queues."""
        await self._refresh_workers(now)
        self._check_heartbeats(now)
        return self._last

    async def _refresh_workers(self, now: datetime) -> None:
        try:
            workers = await self._temporal.workers(now)
        except Unavailable as error:
            self._last = replace(self._last, list_error=error.detail)
            return
        self._queues |= set(workers)
        self._last = replace(self._last, workers=workers, workers_at=now, list_error=None)

    def _check_heartbeats(self, now: datetime) -> None:
        polled_at = {queue: backlog.polled_at for queue, (_, backlog) in self._last.backlogs.items()}
        missing = queues_without_heartbeats(polled_at, self._temporal.heartbeat_at, now)
        self._last = replace(self._last, without_heartbeats=missing)

    async def _refresh_backlogs(self, now: datetime) -> None:
        known = self._last.backlogs
        due = [queue for queue in self.queues if queue not in known or now - known[queue][0] >= CACHED_FOR]
        found = await self._temporal.backlogs(due)
        self._last = replace(
            self._last, backlogs={**known, **{queue: (now, backlog) for queue, backlog in found.items()}}
        )

    async def _refresh_hints(self, now: datetime) -> None:
        try:
            hints = await self._hints.read(self.queues, now)
        except Unavailable:
            return
        self._last = replace(self._last, hints=hints, hints_at=now)

    async def _refresh_retired(self) -> None:
        bursts = [
            worker.identity
            for workers in self._last.workers.values()
            for worker in workers
            if worker.is_burst
        ]
        if not bursts:
            self._last = replace(self._last, retired=frozenset())
            return
        try:
            with map_redis_errors("retired workers"):
                async with self._redis.pipeline(transaction=False) as pipe:
                    for identity in bursts:
                        pipe.exists(retire_key(identity))
                    exists: list[int] = await pipe.execute()
        except Unavailable:
            return
        retired = frozenset(name for name, found in zip(bursts, exists, strict=True) if found)
        self._last = replace(self._last, retired=retired)


def build_snapshot(
    observation: Observation,
    policy: ScalingPolicy,
    queue: str,
    *,
    now: datetime,
    launches: Sequence[Launch],
    spent: Spending,
) -> QueueSnapshot:
    """Extract one queue's snapshot from an observation.

    Parts older than `STALE_AFTER` are marked stale, and so are the workers of a queue without heartbeats.
    """
    backlog_at, backlog = observation.backlogs.get(queue, (None, _EMPTY))
    hints = list(observation.hints.get(queue, {}).values())
    slots = {launch.launch_id: launch.slots for launch in launches}
    workers = [
        _complete(worker, slots, policy, observation.retired) for worker in observation.workers.get(queue, ())
    ]
    return QueueSnapshot(
        queue=queue,
        taken_at=now,
        activities=backlog.activities,
        workflow_tasks=backlog.workflow_tasks,
        oldest_s=backlog.oldest_s,
        workers=tuple(sorted(workers, key=lambda worker: worker.identity)),
        hint_remaining=sum(hint.remaining for hint in hints),
        hint_max_in_flight=_combined_in_flight(hints),
        hint_max_rate_per_s=_combined_limit([hint.max_rate_per_s for hint in hints]),
        effective_rate_per_s=backlog.rate_per_s,
        rate_limiting_active=backlog.rate_limiting_active,
        launches=tuple(launch for launch in launches if launch.queue == queue),
        backlog_stale=_is_stale(backlog_at, now),
        workers_stale=_is_stale(observation.workers_at, now) or queue in observation.without_heartbeats,
        hints_stale=_is_stale(observation.hints_at, now),
        hour_left=_remaining(policy.budget_per_hour, spent.hour.get(queue)),
        day_left=_remaining(policy.budget_per_day, spent.day.get(queue)),
    )


def _complete(
    worker: WorkerSeen, slots: Mapping[str, int], policy: ScalingPolicy, retired: frozenset[str]
) -> WorkerSeen:
    """Add what a burst worker's heartbeat lacks: its slots, and whether it was requested to drain."""
    if not worker.is_burst:
        return worker
    known = slots.get(worker.launch_id or "", policy.slots_per_worker)
    return replace(worker, slots=known, retiring=worker.retiring or worker.identity in retired)


def _combined_limit(limits: Sequence[float | None]) -> float | None:
    """The sum of the limits, or None when one of them is missing."""
    known = [limit for limit in limits if limit is not None]
    return sum(known) if known and len(known) == len(limits) else None


def _combined_in_flight(hints: Sequence[Hint]) -> int | None:
    limit = _combined_limit([hint.max_in_flight for hint in hints])
    return None if limit is None else int(limit)


def _remaining(budget: Decimal | None, spent: Decimal | None) -> Decimal | None:
    return None if budget is None else max(Decimal(0), budget - (spent or Decimal(0)))


def _is_stale(at: datetime | None, now: datetime) -> bool:
    return at is None or now - at > STALE_AFTER
