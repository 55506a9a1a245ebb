"""Reads queue statistics and worker heartbeats from Temporal."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import Struct
from temporalio.api.enums.v1 import RateLimitSource, TaskQueueType, WorkerStatus
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.worker.v1 import WorkerHeartbeat, WorkerInfo
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    DescribeTaskQueueResponse,
    ListWorkersRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError

from signalbox_autoscaler.model import WorkerSeen
from signalbox_core.errors import Unavailable
from signalbox_core.scaling.burst import launch_of

_RPC_TIMEOUT: Final = timedelta(seconds=5)
_PAGE_SIZE: Final = 1_000
_MAX_PAGES: Final = 50
_MAX_CONCURRENT_CALLS: Final = 16
_EXPLICIT_LIMITS: Final = frozenset(
    {RateLimitSource.RATE_LIMIT_SOURCE_API, RateLimitSource.RATE_LIMIT_SOURCE_WORKER}
)
"""Limits that were set for the queue; for a queue without one the server reports its own default."""
_LOST_AFTER: Final = timedelta(minutes=3)


class QueueBacklog(Struct, frozen=True, kw_only=True):
    """The statistics of one queue.

    Attributes:
        activities, workflow_tasks: approximate number of waiting tasks; oldest_s: age of the oldest activity
            task.
        rate_per_s: Temporal's rate limit of its activities; None: no limit.
        polled_at: the latest poll of a worker for activities; None: none in the last five minutes.
    """

    activities: int
    workflow_tasks: int
    oldest_s: float
    rate_per_s: float | None
    rate_limiting_active: bool
    polled_at: datetime | None = None


class TemporalMetrics:
    """The two Temporal APIs that the autoscaler reads.

    Attributes:
        calls: requests made so far.
        heartbeat_at: by queue, the latest heartbeat ever listed, including those of stopped workers.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._slots = asyncio.Semaphore(_MAX_CONCURRENT_CALLS)
        self.calls = 0
        self.heartbeat_at: dict[str, datetime] = {}

    async def backlogs(self, queues: Sequence[str]) -> Mapping[str, QueueBacklog]:
        """Two calls per queue, up to 16 at a time. A queue whose call fails is missing from the result."""
        found = await asyncio.gather(*(self._backlog(queue) for queue in queues))
        return {queue: backlog for queue, backlog in zip(queues, found, strict=True) if backlog is not None}

    async def workers(self, now: datetime) -> Mapping[str, list[WorkerSeen]]:
        """The workers of every queue with a heartbeat in the last three minutes; one call per 1,000 workers.

        Raises:
            Unavailable: Temporal does not answer.
        """
        found: dict[str, list[WorkerSeen]] = {}
        request = ListWorkersRequest(namespace=self._client.namespace, page_size=_PAGE_SIZE)
        try:
            for _ in range(_MAX_PAGES):
                self.calls += 1
                page = await self._client.workflow_service.list_workers(request, timeout=_RPC_TIMEOUT)
                self._record_heartbeats(page.workers_info)
                for info in page.workers_info:
                    if (seen := parse_heartbeat(info.worker_heartbeat, now)) is not None:
                        found.setdefault(info.worker_heartbeat.task_queue, []).append(seen)
                if not page.next_page_token:
                    break
                request.next_page_token = page.next_page_token
        except RPCError as error:
            raise Unavailable(f"Temporal did not list its workers: {error.message}") from error
        return found

    def _record_heartbeats(self, workers: Iterable[WorkerInfo]) -> None:
        for info in workers:
            queue, at = info.worker_heartbeat.task_queue, info.worker_heartbeat.heartbeat_time.ToDatetime(UTC)
            self.heartbeat_at[queue] = max(at, self.heartbeat_at.get(queue, at))

    async def _backlog(self, queue: str) -> QueueBacklog | None:
        try:
            activities, workflows = await asyncio.gather(
                self._describe(queue, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY),
                self._describe(queue, TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW),
            )
        except RPCError:
            return None
        limit = activities.effective_rate_limit
        return QueueBacklog(
            activities=activities.stats.approximate_backlog_count,
            workflow_tasks=workflows.stats.approximate_backlog_count,
            oldest_s=round(activities.stats.approximate_backlog_age.ToTimedelta().total_seconds(), 3),
            rate_per_s=limit.requests_per_second if limit.rate_limit_source in _EXPLICIT_LIMITS else None,
            rate_limiting_active=activities.stats.rate_limiting_active,
            polled_at=max(
                (poller.last_access_time.ToDatetime(UTC) for poller in activities.pollers), default=None
            ),
        )

    async def _describe(self, queue: str, kind: TaskQueueType.ValueType) -> DescribeTaskQueueResponse:
        request = DescribeTaskQueueRequest(
            namespace=self._client.namespace,
            task_queue=TaskQueue(name=queue),
            task_queue_type=kind,
            report_stats=True,
        )
        async with self._slots:
            self.calls += 1
            return await self._client.workflow_service.describe_task_queue(request, timeout=_RPC_TIMEOUT)


def parse_heartbeat(heartbeat: WorkerHeartbeat, now: datetime) -> WorkerSeen | None:
    """The worker that sent a heartbeat; None: it has shut down, or its last heartbeat is too old.

    A burst worker does not report its free slots: `slots` is 0 here, and known from its launch. Base workers
    get their instance key appended to the identity, because a restarted container keeps its host name.
    """
    sent_at = heartbeat.heartbeat_time.ToDatetime(UTC)
    if heartbeat.status == WorkerStatus.WORKER_STATUS_SHUTDOWN or now - sent_at > _LOST_AFTER:
        return None
    slots, launch_id = heartbeat.activity_task_slots_info, launch_of(heartbeat.worker_identity)
    is_burst = launch_id is not None
    identity = heartbeat.worker_identity
    return WorkerSeen(
        identity=identity if is_burst else f"{identity}#{heartbeat.worker_instance_key[:8]}",
        slots=0 if is_burst else slots.current_used_slots + slots.current_available_slots,
        used=slots.current_used_slots,
        processed=slots.total_processed_tasks,
        heartbeat_at=sent_at,
        is_burst=is_burst,
        launch_id=launch_id,
        started_at=(
            heartbeat.start_time.ToDatetime(UTC) if is_burst and heartbeat.HasField("start_time") else None
        ),
        retiring=heartbeat.status == WorkerStatus.WORKER_STATUS_SHUTTING_DOWN,
    )
