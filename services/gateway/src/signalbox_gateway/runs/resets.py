"""Resets a run in Temporal, so that it continues from its failed step under the same run id."""

import logging
from datetime import timedelta
from typing import Final

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import ResetReapplyExcludeType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client

from signalbox_core.errors import Conflict
from signalbox_core.events import Snapshot
from signalbox_core.ids import derived_id
from signalbox_gateway.runs.reset_point import HistoryScan, ResetPoint, repeated_steps
from signalbox_gateway.runs.run_info import RunInfo
from signalbox_gateway.runs.temporal_errors import map_temporal_errors

log = logging.getLogger(__name__)
_PAGE: Final = 500
_READ_TIMEOUT: Final = timedelta(seconds=20)


class RunResets:
    """Every method raises Unavailable when Temporal does not respond."""

    def __init__(self, client: Client, *, deadline: timedelta) -> None:
        self._client = client
        self._deadline = deadline

    async def find_point(self, run: RunInfo, snapshot: Snapshot) -> ResetPoint:
        """Find where to reset an ended run.

        Raises:
            Conflict: the run did no work that could be kept, or completed steps would run again.
        """
        history = HistoryScan()
        handle = self._client.get_workflow_handle(run.workflow_id, run_id=run.execution_id)
        async with map_temporal_errors():
            async for event in handle.fetch_history_events(page_size=_PAGE, rpc_timeout=_READ_TIMEOUT):
                history.add(event)
        point = history.reset_point(snapshot)
        if point is None:
            raise Conflict(
                f"run {run.run_id} ended before any of its work; retry it from the start",
                code="nothing_to_keep",
            )
        if repeated := repeated_steps(snapshot, point):
            raise Conflict(
                f"completed steps of run {run.run_id} would run again ({', '.join(repeated)}): "
                "they ran in parallel with the failed one; retry the run from the start",
                code="would_repeat_steps",
                steps=repeated,
            )
        return point

    async def reset(self, run: RunInfo, point: ResetPoint, *, by: str) -> str:
        """Reset the run; idempotent for each ended execution.

        Returns:
            The new execution's id.
        """
        excluded = [ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_CANCEL_REQUEST]
        if point.skips_signals:
            excluded.append(ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL)
        request = ResetWorkflowExecutionRequest(
            namespace=self._client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=run.workflow_id, run_id=run.execution_id),
            reason=f"retried by {by}",
            workflow_task_finish_event_id=point.event_id,
            request_id=derived_id("retry", run.workflow_id, run.execution_id),
            reset_reapply_exclude_types=excluded,
        )
        async with map_temporal_errors():
            answer = await self._client.workflow_service.reset_workflow_execution(
                request, timeout=self._deadline
            )
        return answer.run_id
