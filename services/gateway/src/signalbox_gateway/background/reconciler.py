"""The leader's rounds: streams of runs that closed without a word get their end, gaps are filled, a lost Redis is restored."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from signalbox_core.bounded_dict import BoundedDict
from signalbox_core.errors import SignalboxError, Unavailable
from signalbox_core.pipeline.spec import PipelineSpec
from signalbox_core.redis.lease import Lease, LeaseKeys
from signalbox_core.streams import RunStream
from signalbox_core.topology import RETENTION
from signalbox_gateway.background.recovery import Replay
from signalbox_gateway.background.repairs import KnownRuns, Repairs
from signalbox_gateway.runs.temporal import Described

log = logging.getLogger(__name__)
LEASE_KEYS: Final = LeaseKeys(lease="signalbox:{reconciler}:lease", epoch="signalbox:{reconciler}:fence")
CURSOR_KEY: Final = "signalbox:{reconciler}:cursor"
_GAP_GRACE: Final = timedelta(seconds=5)
# Visibility shows a closed run a little late, and pages are not a transaction.
_OVERLAP: Final = timedelta(seconds=10)
_FIRST_LOOK_BACK: Final = timedelta(hours=1)
_SETTLED: Final = timedelta(seconds=10)
_PAGE: Final = 100
_AT_ONCE: Final = 16
_MAX_GAPS: Final = 50
_MAX_REMEMBERED: Final = 10_000
_ROUND_WITHIN_S: Final = 120.0


class Reconciler:
    """One leader among the gateways, by a lease in Redis. What a leader that was replaced still writes does no harm: a repair
    replaces one epoch or takes one sequence, and the cursor is fenced.

    Args:
        replay: what brings lost streams back from Pub/Sub before anything is repaired; None: they come from Temporal only.
        every: the pause between rounds.
    """

    def __init__(
        self,
        redis: Redis,
        streams: RunStream,
        runs: KnownRuns,
        pipelines: Mapping[str, PipelineSpec],
        *,
        replay: Replay | None = None,
        every: timedelta = timedelta(seconds=1),
    ) -> None:
        self._streams = streams
        self._runs = runs
        self._replay = replay
        self._repairs = Repairs(streams, runs, pipelines)
        self._every = every
        self._lease = Lease(redis, LEASE_KEYS)
        self._done = BoundedDict[tuple[str, datetime | None], None](_MAX_REMEMBERED)

    async def run(self) -> None:
        """Make rounds while leading, until cancelled."""
        try:
            while True:
                await self._round_if_leading()
                await asyncio.sleep(self._every.total_seconds())
        finally:
            await self._lease.release()

    async def lead(self) -> bool:
        """Take or keep the lease; rounds are for who holds it."""
        return await self._lease.renew() is not None

    async def round(self, now: datetime) -> None:
        """Look once at everything.

        Raises:
            Unavailable: Redis or Temporal is away (several of it as a group).
        """
        cursor = await self._lease.get_instant(CURSOR_KEY)
        if cursor is None:
            # What a repair writes is the end of what a replay can still bring.
            if self._replay is not None and not await self._replay.is_over(self._lease, now):
                return
            await self._restore_open_runs(now)
        for gap in (await self._streams.gaps(older_than=_GAP_GRACE))[:_MAX_GAPS]:
            await self._repairs.fill(gap)
        await self._close_ended(cursor, now)

    async def _round_if_leading(self) -> None:
        try:
            if await self.lead():
                async with self._lease.renewed(), asyncio.timeout(_ROUND_WITHIN_S):
                    await self.round(datetime.now(UTC))
        except* (Unavailable, RedisError, OSError) as errors:
            log.warning("reconciler waits for its backends", extra={"error": str(errors.exceptions[0])[:300]})

    async def _restore_open_runs(self, now: datetime) -> None:
        """Without a cursor Redis is new or was emptied. A run that just began will tell its own story."""
        opened = self._listed("ExecutionStatus = 'Running'")
        await self._each(
            (run async for run in opened if run.started_at < now - _SETTLED), self._repairs.restore
        )

    async def _close_ended(self, cursor: datetime | None, now: datetime) -> None:
        since = cursor or now - _FIRST_LOOK_BACK
        late = f"CloseTime >= '{since.isoformat()}'"
        if cursor is None:
            # Their ends were never published, so no replay brings them.
            silent = "(ExecutionStatus = 'Terminated' OR ExecutionStatus = 'TimedOut')"
            late = f"({late} OR (CloseTime >= '{(now - RETENTION).isoformat()}' AND {silent}))"
        query = f"{late} AND ExecutionStatus != 'Running' AND ExecutionStatus != 'ContinuedAsNew'"
        closed = (run async for run in self._listed(query) if (run.run_id, run.ended_at) not in self._done)
        oldest_open = now
        for run, settled in await self._each(closed, lambda run: self._repairs.close(run, now)):
            if settled:
                self._done[run.run_id, run.ended_at] = None
            else:
                oldest_open = min(oldest_open, run.ended_at or now)
        await self._lease.set_instant(CURSOR_KEY, max(since, oldest_open - _OVERLAP))

    async def _each(
        self,
        runs: AsyncIterator[Described],
        repair: Callable[[Described], Coroutine[object, object, bool | None]],
    ) -> list[tuple[Described, bool]]:
        """Repair several at once, so that a run whose workers are away holds up nothing but itself; says which are settled."""
        outcomes: list[tuple[Described, bool]] = []
        free = asyncio.Semaphore(_AT_ONCE)

        async def one(run: Described) -> None:
            try:
                outcomes.append((run, await self._one(run, repair(run))))
            finally:
                free.release()

        async with asyncio.TaskGroup() as group:
            async for run in runs:
                await free.acquire()
                group.create_task(one(run))
        return outcomes

    async def _one(self, run: Described, repair: Coroutine[object, object, bool | None]) -> bool:
        """Whether this run is settled; a run that cannot be repaired must not stop the others."""
        try:
            return bool(await repair)
        except Unavailable:
            raise
        except SignalboxError as error:
            log.error(
                "stream not repaired",
                extra={"run_id": run.run_id, "code": error.stable_code, "error": error.detail},
            )
            return True

    async def _listed(self, query: str) -> AsyncIterator[Described]:
        token: bytes | None = None
        while True:
            page = await self._runs.list(query, limit=_PAGE, token=token)
            for run in page.runs:
                yield run
            token = page.next_token
            if not token:
                return
