"""Reads task queues and workers from Temporal, for operators of the deployment.

The autoscaler does not use this: it reads its own inputs.
"""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from google.protobuf.timestamp_pb2 import Timestamp
from msgspec import Struct
from temporalio.api.enums.v1 import TaskQueueType, WorkerStatus
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.worker.v1 import WorkerHeartbeat
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    DescribeTaskQueueResponse,
    ListWorkersRequest,
    ListWorkersResponse,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from signalbox_core.errors import Unavailable
from signalbox_core.pipeline.spec import PipelineSpec
from signalbox_gateway.runs.temporal_errors import map_temporal_errors

MAX_QUEUES: Final = 200
MAX_WORKERS: Final = 500
_PAGE_SIZE: Final = 250
_MAX_PAGES: Final = 20
_MAX_CONCURRENT_CALLS: Final = 8
_LOST_AFTER: Final = timedelta(minutes=3)
"""A worker without a heartbeat for this long is considered lost; Temporal lists it for longer."""
_DISABLED: Final = frozenset({RPCStatusCode.UNIMPLEMENTED, RPCStatusCode.PERMISSION_DENIED})


class QueueView(Struct, frozen=True, kw_only=True):
    """One task queue.

    Attributes:
        activities, workflow_tasks: the approximate number of waiting tasks.
        oldest_s: how long the oldest of them has waited.
        pollers: how many workers have polled it in the last five minutes.
    """

    queue: str
    activities: int
    workflow_tasks: int
    oldest_s: float
    pollers: int
    polled_at: datetime | None


class WorkerView(Struct, frozen=True, kw_only=True):
    """One worker process on one task queue, by its last heartbeat.

    Attributes:
        build: `<deployment>.<build>` of a versioned worker.
        slots, used: for activities; a burst worker reports no free ones.
    """

    identity: str
    queue: str
    host: str
    build: str | None
    status: Literal["running", "stopping"]
    slots: int
    used: int
    started_at: datetime | None
    heartbeat_at: datetime


class FleetReader:
    """Reads queues and workers from Temporal.

    Args:
        pipelines: the pipelines whose task queues to read.
    """

    def __init__(self, client: Client, pipelines: Iterable[PipelineSpec], *, deadline: timedelta) -> None:
        self._client = client
        self._queues = sorted({spec.task_queue for spec in pipelines})[:MAX_QUEUES]
        self._deadline = deadline
        self._slots = asyncio.Semaphore(_MAX_CONCURRENT_CALLS)

    async def queues(self) -> tuple[QueueView, ...]:
        """Read the task queues, with two calls for each.

        Raises:
            Unavailable: Temporal does not respond.
        """
        try:
            # Not gather: after a failure the other calls would go on, and later requests would wait for them.
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._queue(name)) for name in self._queues]
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return tuple(task.result() for task in tasks)

    async def workers(self) -> tuple[WorkerView, ...]:
        """Read the workers that have sent a heartbeat, at most 500, by task queue.

        Raises:
            Unavailable: Temporal does not respond, or does not list its workers.
        """
        now = datetime.now(UTC)
        request = ListWorkersRequest(namespace=self._client.namespace, page_size=_PAGE_SIZE)
        found: list[WorkerView] = []
        for _ in range(_MAX_PAGES):
            page = await self._list(request)
            seen = (worker_of(info.worker_heartbeat, now) for info in page.workers_info)
            found += [worker for worker in seen if worker is not None]
            if not page.next_page_token or len(found) >= MAX_WORKERS:
                break
            request.next_page_token = page.next_page_token
        return tuple(sorted(found, key=lambda worker: (worker.queue, worker.identity))[:MAX_WORKERS])

    async def _list(self, request: ListWorkersRequest) -> ListWorkersResponse:
        async with map_temporal_errors():
            try:
                return await self._client.workflow_service.list_workers(request, timeout=self._deadline)
            except RPCError as error:
                if error.status not in _DISABLED:
                    raise
                raise Unavailable(
                    "Temporal does not list its workers: the server must be 1.31 or newer, or have"
                    " frontend.ListWorkersEnabled",
                    code="workers_not_listed",
                ) from error

    async def _queue(self, name: str) -> QueueView:
        activities = await self._describe(name, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY)
        workflows = await self._describe(name, TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW)
        return queue_of(name, activities, workflows)

    async def _describe(self, name: str, kind: TaskQueueType.ValueType) -> DescribeTaskQueueResponse:
        request = DescribeTaskQueueRequest(
            namespace=self._client.namespace,
            task_queue=TaskQueue(name=name),
            task_queue_type=kind,
            report_stats=True,
        )
        async with self._slots, map_temporal_errors():
            return await self._client.workflow_service.describe_task_queue(request, timeout=self._deadline)


def queue_of(
    name: str, activities: DescribeTaskQueueResponse, workflows: DescribeTaskQueueResponse
) -> QueueView:
    """Convert Temporal's two descriptions of a queue. Pure."""
    both = (activities, workflows)
    pollers = [poller for kind in both for poller in kind.pollers]
    ages = (kind.stats.approximate_backlog_age.ToTimedelta().total_seconds() for kind in both)
    return QueueView(
        queue=name,
        activities=activities.stats.approximate_backlog_count,
        workflow_tasks=workflows.stats.approximate_backlog_count,
        oldest_s=round(max(ages), 3),
        pollers=len({poller.identity for poller in pollers}),
        polled_at=max((_instant(poller.last_access_time) for poller in pollers), default=None),
    )


def worker_of(heartbeat: WorkerHeartbeat, now: datetime) -> WorkerView | None:
    """Convert a heartbeat; None for a worker that has shut down or is lost. Pure."""
    sent_at = _instant(heartbeat.heartbeat_time)
    if heartbeat.status == WorkerStatus.WORKER_STATUS_SHUTDOWN or now - sent_at > _LOST_AFTER:
        return None
    slots, version = heartbeat.activity_task_slots_info, heartbeat.deployment_version
    return WorkerView(
        identity=heartbeat.worker_identity,
        queue=heartbeat.task_queue,
        host=heartbeat.host_info.host_name,
        build=f"{version.deployment_name}.{version.build_id}" if version.build_id else None,
        status="stopping" if heartbeat.status == WorkerStatus.WORKER_STATUS_SHUTTING_DOWN else "running",
        slots=slots.current_used_slots + slots.current_available_slots,
        used=slots.current_used_slots,
        started_at=_instant(heartbeat.start_time) if heartbeat.HasField("start_time") else None,
        heartbeat_at=sent_at,
    )


def _instant(time: Timestamp) -> datetime:
    return time.ToDatetime(UTC)
