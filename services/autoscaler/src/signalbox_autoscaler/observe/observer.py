"""One look over every queue: Temporal's backlogs and workers, hints, launches, money; each queue's part becomes its Snapshot."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from msgspec import Struct
from msgspec.structs import replace
from redis.asyncio import Redis

from signalbox_autoscaler.model import Launch, Policy, Snapshot, Spent, WorkerSeen
from signalbox_autoscaler.observe.heartbeats import queues_without_heartbeats
from signalbox_autoscaler.observe.temporal_metrics import Backlog, TemporalEye
from signalbox_core.errors import Unavailable
from signalbox_core.redis.client import unavailable_when_away
from signalbox_core.scaling.burst import retire_key
from signalbox_core.scaling.hints import Hint, Hints

CACHED_FOR: Final = timedelta(seconds=5)
"""Temporal computes a queue's numbers anew every five seconds: asking earlier brings the same ones."""
STALE_AFTER: Final = timedelta(seconds=12)
_NOTHING: Final = Backlog(
    activities=0, workflow_tasks=0, oldest_s=0.0, rate_per_s=None, rate_limiting_active=False
)


class Look(Struct, frozen=True, kw_only=True):
    """What is known of all queues. Each part carries the instant of which it is; a part that could not be read stays what it was.

    Attributes:
        backlogs: by queue, each with its instant.
        retired: identities of burst workers that were told to leave.
        without_heartbeats: queues that workers poll without sending heartbeats.
        list_error: why workers could not be listed.
    """

    backlogs: Mapping[str, tuple[datetime, Backlog]] = {}
    workers: Mapping[str, Sequence[WorkerSeen]] = {}
    workers_at: datetime | None = None
    hints: Mapping[str, Mapping[str, Hint]] = {}
    hints_at: datetime | None = None
    retired: frozenset[str] = frozenset()
    without_heartbeats: frozenset[str] = frozenset()
    list_error: str | None = None


class Observer:
    """Remembers every queue that ever had a worker: one without any is the one to worry about.

    Args:
        queues: known from the start.
    """

    def __init__(self, eye: TemporalEye, redis: Redis, queues: Iterable[str]) -> None:
        self._eye = eye
        self._redis = redis
        self._hints = Hints(redis)
        self._queues = set(queues)
        self._look = Look()

    @property
    def queues(self) -> list[str]:
        return sorted(self._queues)

    def watch(self, queues: Iterable[str]) -> None:
        """Look at these too from now on."""
        self._queues |= set(queues)

    async def look(self, now: datetime) -> Look:
        """Everything at once. Never raises: what could not be read is of earlier.

        Calls: one for 1,000 workers, two a queue whose numbers are older than 5 s, two round trips to Redis.
        """
        await self._see_workers(now)
        await asyncio.gather(self._see_backlogs(now), self._see_hints(now), self._see_retired())
        self._miss_heartbeats(now)
        return self._look

    async def glance(self, now: datetime) -> Look:
        """Workers only, for one that follows: it shall know whether Temporal answers, and which queues there are."""
        await self._see_workers(now)
        self._miss_heartbeats(now)
        return self._look

    async def _see_workers(self, now: datetime) -> None:
        try:
            workers = await self._eye.workers(now)
        except Unavailable as error:
            self._look = replace(self._look, list_error=error.detail)
            return
        self._queues |= set(workers)
        self._look = replace(self._look, workers=workers, workers_at=now, list_error=None)

    def _miss_heartbeats(self, now: datetime) -> None:
        polled_at = {queue: backlog.polled_at for queue, (_, backlog) in self._look.backlogs.items()}
        missing = queues_without_heartbeats(polled_at, self._eye.heartbeat_at, now)
        self._look = replace(self._look, without_heartbeats=missing)

    async def _see_backlogs(self, now: datetime) -> None:
        known = self._look.backlogs
        due = [queue for queue in self.queues if queue not in known or now - known[queue][0] >= CACHED_FOR]
        found = await self._eye.backlogs(due)
        self._look = replace(
            self._look, backlogs={**known, **{queue: (now, backlog) for queue, backlog in found.items()}}
        )

    async def _see_hints(self, now: datetime) -> None:
        try:
            hints = await self._hints.read(self.queues, now)
        except Unavailable:
            return
        self._look = replace(self._look, hints=hints, hints_at=now)

    async def _see_retired(self) -> None:
        bursts = [
            worker.identity
            for workers in self._look.workers.values()
            for worker in workers
            if worker.is_burst
        ]
        if not bursts:
            self._look = replace(self._look, retired=frozenset())
            return
        try:
            with unavailable_when_away("retired workers"):
                async with self._redis.pipeline(transaction=False) as pipe:
                    for identity in bursts:
                        pipe.exists(retire_key(identity))
                    told: list[int] = await pipe.execute()
        except Unavailable:
            return
        self._look = replace(
            self._look, retired=frozenset(name for name, is_told in zip(bursts, told, strict=True) if is_told)
        )


def snapshot_of(
    look: Look, policy: Policy, queue: str, *, now: datetime, launches: Sequence[Launch], spent: Spent
) -> Snapshot:
    """The queue's part of a look; what is older than it should be is marked."""
    backlog_at, backlog = look.backlogs.get(queue, (None, _NOTHING))
    hints = list(look.hints.get(queue, {}).values())
    slots = {launch.launch_id: launch.slots for launch in launches}
    workers = [_with_slots(worker, slots, policy, look.retired) for worker in look.workers.get(queue, ())]
    return Snapshot(
        queue=queue,
        taken_at=now,
        activities=backlog.activities,
        workflow_tasks=backlog.workflow_tasks,
        oldest_s=backlog.oldest_s,
        workers=tuple(sorted(workers, key=lambda worker: worker.identity)),
        hint_remaining=sum(hint.remaining for hint in hints),
        hint_max_in_flight=_whole(_total([hint.max_in_flight for hint in hints])),
        hint_max_rate_per_s=_total([hint.max_rate_per_s for hint in hints]),
        effective_rate_per_s=backlog.rate_per_s,
        rate_limiting_active=backlog.rate_limiting_active,
        launches=tuple(launch for launch in launches if launch.queue == queue),
        backlog_stale=_is_stale(backlog_at, now),
        workers_stale=_is_stale(look.workers_at, now) or queue in look.without_heartbeats,
        hints_stale=_is_stale(look.hints_at, now),
        hour_left=_left(policy.budget_per_hour, spent.hour.get(queue)),
        day_left=_left(policy.budget_per_day, spent.day.get(queue)),
    )


def _with_slots(
    worker: WorkerSeen, slots: Mapping[str, int], policy: Policy, retired: frozenset[str]
) -> WorkerSeen:
    if not worker.is_burst:
        return worker
    known = slots.get(worker.launch_id or "", policy.slots_per_worker)
    return replace(worker, slots=known, retiring=worker.retiring or worker.identity in retired)


def _total(bounds: Sequence[float | None]) -> float | None:
    """Together, or None when one of them has no bound."""
    known = [bound for bound in bounds if bound is not None]
    return sum(known) if known and len(known) == len(bounds) else None


def _whole(count: float | None) -> int | None:
    return None if count is None else int(count)


def _left(budget: Decimal | None, spent: Decimal | None) -> Decimal | None:
    return None if budget is None else max(Decimal(0), budget - (spent or Decimal(0)))


def _is_stale(at: datetime | None, now: datetime) -> bool:
    return at is None or now - at > STALE_AFTER
