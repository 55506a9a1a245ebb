"""Periodic reconciliation by one leader: closes streams of ended runs, fills gaps, restores lost streams."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Container, Coroutine, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from prometheus_client import CollectorRegistry
from redis.asyncio import Redis
from redis.exceptions import RedisError

from signalbox_core.bounded_dict import BoundedDict
from signalbox_core.errors import SignalboxError, Unavailable
from signalbox_core.pipeline.spec import PipelineSpec
from signalbox_core.redis.lease import Lease, LeaseKeys
from signalbox_core.streams import RunStream
from signalbox_core.topology import RETENTION
from signalbox_gateway.background.projector import PROJECTOR_LIMITS
from signalbox_gateway.background.recovery import StreamRecovery
from signalbox_gateway.background.repairs import Repairs, RunDirectory
from signalbox_gateway.http.metrics import ReconcilerMetrics
from signalbox_gateway.runs.run_info import RunInfo

log = logging.getLogger(__name__)
LeaderTask = Callable[[datetime], Awaitable[None]]
LEASE_KEYS: Final = LeaseKeys(lease="signalbox:{reconciler}:lease", epoch="signalbox:{reconciler}:fence")
CURSOR_KEY: Final = "signalbox:{reconciler}:cursor"
GAP_GRACE: Final = timedelta(seconds=PROJECTOR_LIMITS.lease_s + 5)
"""How long a gap persists before its stream is rebuilt.

Longer than the lease of a killed gateway's messages and the backoff of their redelivery: a rebuilt stream
accepts no earlier events.
"""
# The visibility store is eventually consistent, and pages are not a transaction.
_OVERLAP: Final = timedelta(seconds=10)
# How late the visibility store may list a run that did not publish its own end.
_MAX_VISIBILITY_DELAY: Final = timedelta(minutes=10)
_UNPUBLISHED: Final = "ExecutionStatus = 'Terminated' OR ExecutionStatus = 'TimedOut'"
_CLOSED: Final = "ExecutionStatus != 'Running' AND ExecutionStatus != 'ContinuedAsNew'"
_SWEEP_EVERY: Final = timedelta(seconds=5)
"""How often what the visibility store lists late is looked for; the rounds in between list `_RECENT`."""
_RECENT: Final = timedelta(seconds=4)
_INITIAL_LOOKBACK: Final = timedelta(hours=1)
_MIN_AGE: Final = timedelta(seconds=10)
_PAGE: Final = 100
_MAX_CONCURRENCY: Final = 16
_MAX_GAPS: Final = 50
_MAX_REMEMBERED: Final = 100_000
_ROUND_TIMEOUT_S: Final = 120.0
_PAUSE_S: Final = 1.0


class Reconciler:
    """Leader election among the gateways, by a lease in Redis.

    Late writes of a deposed leader are harmless: a repair replaces one epoch or takes one sequence, and the
    cursor is written with a fencing token.

    Args:
        recovery: restores lost streams from Pub/Sub before repairs; None restores from Temporal only.
        gap_grace: how long a gap persists before it is repaired.
    """

    def __init__(  # noqa: PLR0913 - its parts, and one setting
        self,
        redis: Redis,
        streams: RunStream,
        runs: RunDirectory,
        pipelines: Mapping[str, PipelineSpec],
        *,
        recovery: StreamRecovery | None = None,
        metrics: ReconcilerMetrics | None = None,
        gap_grace: timedelta = GAP_GRACE,
    ) -> None:
        self._streams = streams
        self._runs = runs
        self._recovery = recovery
        self._gap_grace = gap_grace
        self._metrics = metrics or ReconcilerMetrics(CollectorRegistry())
        self._repairs = Repairs(streams, runs, pipelines, self._metrics.count_repair)
        self._lease = Lease(redis, LEASE_KEYS)
        self._done = BoundedDict[str, None](_MAX_REMEMBERED)
        self._swept_at = datetime.min.replace(tzinfo=UTC)

    async def run(self, tasks: Sequence[LeaderTask] = ()) -> None:
        """Run rounds while leading, until cancelled; after each round the other tasks of the leader."""
        try:
            while True:
                await self._run_if_leading(self._counted_round)
                # Apart from the round: streams that wait for Pub/Sub must not hide that runs are blocked.
                for task in tasks:
                    await self._run_if_leading(task)
                await asyncio.sleep(_PAUSE_S)
        finally:
            await self._lease.release()

    async def lead(self) -> bool:
        """Acquire or renew the lease. Returns whether this process leads."""
        leads = False
        try:
            leads = await self._lease.renew() is not None
        finally:
            self._metrics.set_leading(leads)
        return leads

    async def round(self, now: datetime) -> None:
        """Reconcile once.

        Raises:
            Unavailable: Redis or Temporal is unavailable; from concurrent repairs as an ExceptionGroup.
        """
        cursor = await self._lease.get_instant(CURSOR_KEY)
        if cursor is None:
            # Events that Pub/Sub redelivers can no longer be appended once a repair has written the stream.
            if self._recovery is not None and not await self._recovery.is_complete(self._lease, now):
                return
            await self._restore_open_runs(now)
        gaps = await self._streams.gaps(older_than=self._gap_grace)
        self._metrics.set_gaps(len(gaps))
        for gap in gaps[:_MAX_GAPS]:
            await self._repairs.fill(gap)
        await self._close_ended(cursor, now)

    async def _counted_round(self, now: datetime) -> None:
        try:
            await self.round(now)
        except Exception:
            self._metrics.count_round("failed")
            raise
        self._metrics.count_round("completed")

    async def _run_if_leading(self, work: LeaderTask) -> None:
        try:
            if await self.lead():
                async with self._lease.renewed(), asyncio.timeout(_ROUND_TIMEOUT_S):
                    await work(datetime.now(UTC))
        except* (Unavailable, RedisError, OSError) as errors:
            log.warning(
                "reconciliation failed: backend unavailable", extra={"error": str(errors.exceptions[0])[:300]}
            )

    async def _restore_open_runs(self, now: datetime) -> None:
        """Restore the streams of open runs. A run younger than `_MIN_AGE` publishes its own events."""
        opened = self._list_all("ExecutionStatus = 'Running'")
        await self._each(
            (run async for run in opened if run.started_at < now - _MIN_AGE), self._repairs.restore
        )

    async def _close_ended(self, cursor: datetime | None, now: datetime) -> None:
        if cursor is not None and now - self._swept_at < _SWEEP_EVERY:
            await self._close_listed(_closed_since(now - _RECENT), now)
            return
        since = cursor or now - _INITIAL_LOOKBACK
        # Their terminal events were never published, so seeking in Pub/Sub does not bring them back either.
        earliest = min(since, now - (RETENTION if cursor is None else _MAX_VISIBILITY_DELAY))
        late = f"{_closed_since(earliest)} AND (CloseTime >= '{since.isoformat()}' OR {_UNPUBLISHED})"
        oldest_open = await self._close_listed(late, now)
        await self._lease.set_instant(CURSOR_KEY, max(since, oldest_open - _OVERLAP))
        self._swept_at = now

    async def _close_listed(self, query: str, now: datetime) -> datetime:
        """Close the streams of the runs of a query. Returns when the first of those ended that stay open."""
        closed = self._list_all(query, skip=self._done)
        oldest_open = now
        for run, is_done in await self._each(closed, lambda run: self._repairs.close(run, now)):
            if is_done:
                self._done[run.execution_id] = None
            else:
                oldest_open = min(oldest_open, run.ended_at or now)
        return oldest_open

    async def _each(
        self,
        runs: AsyncIterator[RunInfo],
        repair: Callable[[RunInfo], Coroutine[object, object, bool | None]],
    ) -> list[tuple[RunInfo, bool]]:
        """Repair runs concurrently, so that one whose workers do not respond does not delay the others.

        Returns:
            Each run, and whether it needs no further repair.
        """
        outcomes: list[tuple[RunInfo, bool]] = []
        slots = asyncio.Semaphore(_MAX_CONCURRENCY)

        async def repair_and_release(run: RunInfo) -> None:
            try:
                outcomes.append((run, await self._repair_one(run, repair(run))))
            finally:
                slots.release()

        async with asyncio.TaskGroup() as group:
            async for run in runs:
                await slots.acquire()
                group.create_task(repair_and_release(run))
        return outcomes

    async def _repair_one(self, run: RunInfo, repair: Coroutine[object, object, bool | None]) -> bool:
        """Whether the run needs no further repair. A run that cannot be repaired must not stop the others."""
        try:
            return bool(await repair)
        except Unavailable:
            raise
        except SignalboxError as error:
            log.error(
                "repairing a stream failed",
                extra={"run_id": run.run_id, "code": error.stable_code, "error": error.detail},
            )
            return True

    async def _list_all(self, query: str, *, skip: Container[str] = ()) -> AsyncIterator[RunInfo]:
        token: bytes | None = None
        while True:
            page = await self._runs.list(query, limit=_PAGE, token=token, skip=skip)
            for run in page.runs:
                yield run
            token = page.next_token
            if not token:
                return


def _closed_since(since: datetime) -> str:
    return f"CloseTime >= '{since.isoformat()}' AND {_CLOSED}"
