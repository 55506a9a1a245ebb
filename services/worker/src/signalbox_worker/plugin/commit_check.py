"""Whether the workflow task that recorded events has been committed, by Temporal's description. Pure."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse

_RUNNING: Final = WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING
_CONTINUED: Final = WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW
_ENDED_BY_WORKFLOW: Final[Mapping[int, str]] = {
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_COMPLETED: "run.completed",
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_FAILED: "run.failed",
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_CANCELED: "run.cancelled",
}


class CommitState(StrEnum):
    """The outcome of the workflow task."""

    COMMITTED = "committed"
    PENDING = "pending"
    """It is in progress; check again."""
    LOST = "lost"
    """It failed, or the workflow was ended by someone else first. A replay records the events again."""


def commit_state(
    found: DescribeWorkflowExecutionResponse, *, history_length: int, terminal: str | None
) -> CommitState:
    """Return the state of the workflow task that recorded the latest events.

    Args:
        history_length: up to the start of the task.
        terminal: the event that ends the run, if the task recorded one.
    """
    info = found.workflow_execution_info
    if info.status == _RUNNING:
        if found.HasField("pending_workflow_task"):
            return CommitState.LOST if found.pending_workflow_task.attempt > 1 else CommitState.PENDING
        if info.history_length <= history_length:
            return CommitState.PENDING
        return CommitState.LOST if terminal is not None else CommitState.COMMITTED
    if info.status == _CONTINUED:
        return CommitState.LOST if terminal is not None else CommitState.COMMITTED
    ended_as = _ENDED_BY_WORKFLOW.get(info.status)
    is_own = ended_as is not None and terminal in (None, ended_as)
    return CommitState.COMMITTED if is_own else CommitState.LOST
