"""Reads from Temporal what an open run waits for: its pending tasks, its last failure, its queues."""

from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio.api.enums.v1 import PendingActivityState, PendingWorkflowTaskState, TaskQueueType
from temporalio.api.taskqueue.v1 import PollerInfo, TaskQueue
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, DescribeWorkflowExecutionResponse
from temporalio.client import Client

from signalbox_core.errors import NotFound
from signalbox_core.temporal.builds import pinned_build
from signalbox_core.temporal.deployments import POLLED_RECENTLY
from signalbox_core.temporal.task_failures import TaskFailure, last_task_failure
from signalbox_gateway.background.condition_rules import PendingWork, QueueFacts, WaitingQueue
from signalbox_gateway.runs.run_info import RunInfo, run_info_of
from signalbox_gateway.runs.temporal_errors import map_temporal_errors
from signalbox_gateway.runs.workflow_ids import WorkflowIds

_KINDS: Final = {
    "workflow": TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    "activity": TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
}


class PendingWorkReader:
    """Every method raises Unavailable when Temporal does not respond within the deadline."""

    def __init__(
        self, client: Client, workflow_ids: WorkflowIds, *, deadline: timedelta = timedelta(seconds=3)
    ) -> None:
        self._client = client
        self._workflow_ids = workflow_ids
        self._deadline = deadline

    async def read(self, key: str) -> PendingWork | None:
        """The pending work of a run; None when it has ended, is unknown, or is not a run."""
        try:
            return await self._workflow_ids.call(key, self._read)
        except NotFound:
            return None

    async def _read(self, workflow_id: str) -> PendingWork | None:
        async with map_temporal_errors():
            found = await self._client.get_workflow_handle(workflow_id).describe(rpc_timeout=self._deadline)
        run = await run_info_of(found, self._workflow_ids.rules)
        if run is None or run.status != "running":
            return None
        return pending_work(run, found.raw_description, default_queue=found.task_queue)

    async def last_failure(self, workflow_id: str) -> TaskFailure | None:
        """The latest failure of the run's workflow task; None when the latest events have none."""
        async with map_temporal_errors():
            return await last_task_failure(self._client, workflow_id, deadline=self._deadline)

    async def queue(self, waiting: WaitingQueue) -> QueueFacts:
        """The pollers and the backlog of a task queue; of a pinned run, only the pollers of its build."""
        request = DescribeTaskQueueRequest(
            namespace=self._client.namespace,
            task_queue=TaskQueue(name=waiting.name),
            task_queue_type=_KINDS[waiting.kind],
            report_stats=True,
        )
        async with map_temporal_errors():
            found = await self._client.workflow_service.describe_task_queue(request, timeout=self._deadline)
        return QueueFacts(
            has_pollers=any(_may_take(poller, waiting) for poller in found.pollers),
            backlog=found.stats.approximate_backlog_count,
            backlog_age=found.stats.approximate_backlog_age.ToTimedelta(),
            is_served=found.stats.tasks_dispatch_rate > 0,
        )


def pending_work(
    run: RunInfo, described: DescribeWorkflowExecutionResponse, *, default_queue: str
) -> PendingWork:
    """Convert Temporal's description. Pure."""
    task = described.pending_workflow_task
    has_task = described.HasField("pending_workflow_task")
    waiting = _longest_waiting(list(described.pending_activities))
    pinned = pinned_build(described.workflow_execution_info.versioning_info)
    return PendingWork(
        workflow_id=run.workflow_id,
        run_id=run.run_id,
        tenant=run.tenant,
        pipeline=run.pipeline,
        task_queue=default_queue,
        build=pinned.build_id if pinned is not None else "",
        attempt=max(task.attempt, 1) if has_task else 0,
        since=task.original_scheduled_time.ToDatetime(UTC) if has_task else None,
        is_started=task.state == PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_STARTED,
        activities_since=waiting.scheduled_time.ToDatetime(UTC) if waiting is not None else None,
        activity_queue=(waiting.activity_options.task_queue.name or default_queue) if waiting else "",
    )


def _may_take(poller: PollerInfo, waiting: WaitingQueue) -> bool:
    """Whether a poller may take a task that is pinned to a build, or any task."""
    if not waiting.build:
        return True
    if poller.deployment_options.build_id != waiting.build:
        return False
    # A worker whose slots for activities are all taken does not poll for more.
    at = poller.last_access_time.ToDatetime(UTC)
    return waiting.kind == "activity" or datetime.now(UTC) - at < POLLED_RECENTLY


def _longest_waiting(activities: list[PendingActivityInfo]) -> PendingActivityInfo | None:
    """The activity that has been waiting longest for its first worker, unless another one is running.

    An activity that waits for its next attempt is not waiting for a worker.
    """
    scheduled = PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED
    if any(item.state != scheduled or item.attempt > 1 for item in activities):
        return None
    return min(activities, key=_instant, default=None)


def _instant(activity: PendingActivityInfo) -> datetime:
    return activity.scheduled_time.ToDatetime(UTC)
