"""Looking at Temporal: which task queues there are, and what waits in them."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from temporalio.api.enums.v1 import TaskQueueType, WorkerStatus
from temporalio.api.taskqueue.v1 import TaskQueue, TaskQueueStats
from temporalio.api.worker.v1 import WorkerHeartbeat
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, ListWorkersRequest
from temporalio.client import Client
from temporalio.service import RPCError

from signalbox_autoscaler.decisions import Backlog
from signalbox_core.errors import Unavailable

_RPC_TIMEOUT: Final = timedelta(seconds=5)
_PAGE: Final = 500
_SILENT: Final = timedelta(seconds=15)
"""Workers beat every second."""


class Eye(Protocol):
    """What the loop looks with."""

    async def look(self) -> list[Backlog]:
        """One backlog a known task queue.

        Raises:
            Unavailable: Temporal does not answer.
        """


class TemporalEye:
    """Remembers every queue that ever had a heartbeating worker, as a queue without one is the one to worry about."""

    def __init__(self, client: Client, queues: frozenset[str]) -> None:
        self._client = client
        self._known = set(queues)

    async def look(self) -> list[Backlog]:
        try:
            async with asyncio.timeout(_RPC_TIMEOUT.total_seconds() * 2):
                workers = await self._workers()
                self._known |= set(workers)
                return [await self._backlog(queue, workers.get(queue, 0)) for queue in sorted(self._known)]
        except (RPCError, TimeoutError) as error:
            raise Unavailable(f"Temporal does not say what waits: {error}") from error

    async def _workers(self) -> Mapping[str, int]:
        counts: Counter[str] = Counter()
        request = ListWorkersRequest(namespace=self._client.namespace, page_size=_PAGE)
        while True:
            page = await self._client.workflow_service.list_workers(request, timeout=_RPC_TIMEOUT)
            now = datetime.now(UTC)
            counts.update(info.worker_heartbeat.task_queue for info in page.workers_info if is_alive(info.worker_heartbeat, now))
            if not page.next_page_token:
                return counts
            request.next_page_token = page.next_page_token

    async def _backlog(self, queue: str, workers: int) -> Backlog:
        workflows = await self._stats(queue, TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW)
        activities = await self._stats(queue, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY)
        ages = (stats.approximate_backlog_age.ToTimedelta().total_seconds() for stats in (workflows, activities))
        return Backlog(
            queue=queue,
            workflow_tasks=workflows.approximate_backlog_count,
            activities=activities.approximate_backlog_count,
            oldest_s=round(max(ages), 3),
            workers=workers,
        )

    async def _stats(self, queue: str, kind: TaskQueueType.ValueType) -> TaskQueueStats:
        request = DescribeTaskQueueRequest(
            namespace=self._client.namespace, task_queue=TaskQueue(name=queue), task_queue_type=kind, report_stats=True
        )
        return (await self._client.workflow_service.describe_task_queue(request, timeout=_RPC_TIMEOUT)).stats


def is_alive(heartbeat: WorkerHeartbeat, now: datetime) -> bool:
    """Whether the worker beat lately: the server calls a killed one RUNNING for minutes."""
    beat_at = heartbeat.heartbeat_time.ToDatetime(UTC)
    return heartbeat.status == WorkerStatus.WORKER_STATUS_RUNNING and now - beat_at < _SILENT
