"""What Temporal knows: how much waits in each queue, which workers beat and how busy they are."""

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
_PAGE: Final = 1_000
_MAX_PAGES: Final = 50
_AT_ONCE: Final = 16
_OWN_LIMITS: Final = frozenset(
    {RateLimitSource.RATE_LIMIT_SOURCE_API, RateLimitSource.RATE_LIMIT_SOURCE_WORKER}
)
"""Limits that somebody set for this queue; a queue without one is told the server's own."""
_SILENT: Final = timedelta(minutes=3)


class Backlog(Struct, frozen=True, kw_only=True):
    """What waits in one queue.

    Attributes:
        rate_per_s: the limit Temporal puts on its activities; None: none.
        polled_at: the latest poll of a worker for activities; None: none in the last five minutes.
    """

    activities: int
    workflow_tasks: int
    oldest_s: float
    rate_per_s: float | None
    rate_limiting_active: bool
    polled_at: datetime | None = None


class TemporalEye:
    """Attributes:
    calls: requests made so far.
    heartbeat_at: by queue, the latest heartbeat ever listed, also of a worker that has stopped.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self.calls = 0
        self.heartbeat_at: dict[str, datetime] = {}

    async def backlogs(self, queues: Sequence[str]) -> Mapping[str, Backlog]:
        """Two calls a queue, several at a time; a queue that Temporal does not answer for is left out."""
        found = await asyncio.gather(*(self._backlog(queue) for queue in queues))
        return {queue: backlog for queue, backlog in zip(queues, found, strict=True) if backlog is not None}

    async def workers(self, now: datetime) -> Mapping[str, list[WorkerSeen]]:
        """The workers of every queue that beat within three minutes; the law judges by the time of the beat. A call for 1,000.

        Raises:
            Unavailable: Temporal does not answer.
        """
        found: dict[str, list[WorkerSeen]] = {}
        request = ListWorkersRequest(namespace=self._client.namespace, page_size=_PAGE)
        try:
            for _ in range(_MAX_PAGES):
                self.calls += 1
                page = await self._client.workflow_service.list_workers(request, timeout=_RPC_TIMEOUT)
                self._note_heartbeats(page.workers_info)
                for info in page.workers_info:
                    if (seen := worker_of(info.worker_heartbeat, now)) is not None:
                        found.setdefault(info.worker_heartbeat.task_queue, []).append(seen)
                if not page.next_page_token:
                    break
                request.next_page_token = page.next_page_token
        except RPCError as error:
            raise Unavailable(f"Temporal does not list its workers: {error.message}") from error
        return found

    def _note_heartbeats(self, workers: Iterable[WorkerInfo]) -> None:
        for info in workers:
            queue, at = info.worker_heartbeat.task_queue, info.worker_heartbeat.heartbeat_time.ToDatetime(UTC)
            self.heartbeat_at[queue] = max(at, self.heartbeat_at.get(queue, at))

    async def _backlog(self, queue: str) -> Backlog | None:
        try:
            activities, workflows = await asyncio.gather(
                self._describe(queue, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY),
                self._describe(queue, TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW),
            )
        except RPCError:
            return None
        limit = activities.effective_rate_limit
        return Backlog(
            activities=activities.stats.approximate_backlog_count,
            workflow_tasks=workflows.stats.approximate_backlog_count,
            oldest_s=round(activities.stats.approximate_backlog_age.ToTimedelta().total_seconds(), 3),
            rate_per_s=limit.requests_per_second if limit.rate_limit_source in _OWN_LIMITS else None,
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
        async with self._turns:
            self.calls += 1
            return await self._client.workflow_service.describe_task_queue(request, timeout=_RPC_TIMEOUT)


def worker_of(beat: WorkerHeartbeat, now: datetime) -> WorkerSeen | None:
    """A worker as it says of itself; None: it has ended, or was silent for long.

    A burst worker does not tell its free slots (0 here): its launch does. The identity of any other is made unique by its instance, as
    a container that is started again keeps its name.
    """
    beat_at = beat.heartbeat_time.ToDatetime(UTC)
    if beat.status == WorkerStatus.WORKER_STATUS_SHUTDOWN or now - beat_at > _SILENT:
        return None
    slots, launch_id = beat.activity_task_slots_info, launch_of(beat.worker_identity)
    is_burst = launch_id is not None
    return WorkerSeen(
        identity=beat.worker_identity
        if is_burst
        else f"{beat.worker_identity}#{beat.worker_instance_key[:8]}",
        slots=0 if is_burst else slots.current_used_slots + slots.current_available_slots,
        used=slots.current_used_slots,
        processed=slots.total_processed_tasks,
        heartbeat_at=beat_at,
        is_burst=is_burst,
        launch_id=launch_id,
        retiring=beat.status == WorkerStatus.WORKER_STATUS_SHUTTING_DOWN,
    )
