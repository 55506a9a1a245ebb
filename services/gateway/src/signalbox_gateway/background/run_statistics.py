"""Measures what the deployment is doing, for its metrics: runs by pipeline and status, and pending approvals.

Runs in the leader, so that each measurement is made once however many gateways there are.
"""

import asyncio
import logging
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio.client import Client

from signalbox_core.errors import InvalidInput
from signalbox_core.streams import RunStream
from signalbox_gateway.http.metrics import ReconcilerMetrics
from signalbox_gateway.runs.run_counts import count_runs

log = logging.getLogger(__name__)
EVERY: Final = timedelta(seconds=15)
_ENDED_WITHIN: Final = timedelta(hours=1)
_MAX_CONCURRENCY: Final = 4
_TIMEOUT_S: Final = 5.0


class RunStatistics:
    """One per gateway; `measure` may be called as often as wanted, and works every 15 seconds."""

    def __init__(
        self, client: Client, streams: RunStream, pipelines: Iterable[str], metrics: ReconcilerMetrics
    ) -> None:
        self._client = client
        self._streams = streams
        self._pipelines = tuple(pipelines)
        self._metrics = metrics
        self._measured_at = datetime.min.replace(tzinfo=UTC)

    async def measure(self, now: datetime) -> None:
        """Set the metrics.

        Raises:
            Unavailable: Temporal or Redis is unavailable; the metrics keep their values.
            TimeoutError: Temporal did not count the runs in time.
        """
        if now - self._measured_at < EVERY:
            return
        self._measured_at = now
        await self._measure_approvals(now)
        await self._measure_runs(now)

    async def _measure_runs(self, now: datetime) -> None:
        slots = asyncio.Semaphore(_MAX_CONCURRENCY)

        async def count(pipeline: str) -> None:
            async with slots:
                try:
                    counts = await count_runs(self._client, pipeline, ended_since=now - _ENDED_WITHIN)
                except InvalidInput as error:
                    # A visibility store that cannot group; the repairs must continue.
                    log.warning("runs not counted", extra={"pipeline": pipeline, "error": error.detail})
                    return
            self._metrics.set_runs(pipeline, counts)

        # One that hangs must not delay the repairs, which follow in the leader's loop.
        async with asyncio.timeout(_TIMEOUT_S), asyncio.TaskGroup() as group:
            for pipeline in self._pipelines:
                group.create_task(count(pipeline))

    async def _measure_approvals(self, now: datetime) -> None:
        pending, oldest = 0, now
        for tenant in await self._streams.tenants_with_approvals():
            page = await self._streams.inbox(tenant, limit=1)
            if page.items:
                pending += page.total
                oldest = min(oldest, page.items[0].requested_at)
        self._metrics.set_approvals(pending, (now - oldest).total_seconds())
