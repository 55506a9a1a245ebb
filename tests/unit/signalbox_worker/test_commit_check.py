"""Whether a workflow task was committed, by Temporal's description."""

import pytest
from temporalio.api.enums.v1 import WorkflowExecutionStatus as Status
from temporalio.api.workflow.v1 import PendingWorkflowTaskInfo, WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse

from signalbox_worker.plugin.commit_check import CommitState, commit_state

RUNNING = Status.WORKFLOW_EXECUTION_STATUS_RUNNING
COMPLETED = Status.WORKFLOW_EXECUTION_STATUS_COMPLETED
TERMINATED = Status.WORKFLOW_EXECUTION_STATUS_TERMINATED
CONTINUED = Status.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW


def described(
    status: Status.ValueType, *, length: int = 8, attempt: int = 0
) -> DescribeWorkflowExecutionResponse:
    info = WorkflowExecutionInfo(status=status, history_length=length)
    if attempt:
        task = PendingWorkflowTaskInfo(attempt=attempt)
        return DescribeWorkflowExecutionResponse(workflow_execution_info=info, pending_workflow_task=task)
    return DescribeWorkflowExecutionResponse(workflow_execution_info=info)


@pytest.mark.parametrize(
    ("found", "terminal", "expected"),
    [
        pytest.param(described(RUNNING), None, CommitState.COMMITTED, id="no task is pending"),
        pytest.param(described(RUNNING, attempt=1), None, CommitState.PENDING, id="the task is in progress"),
        pytest.param(described(RUNNING, attempt=2), None, CommitState.LOST, id="the task failed"),
        pytest.param(described(RUNNING, length=5), None, CommitState.PENDING, id="nothing was added"),
        pytest.param(described(RUNNING), "run.completed", CommitState.LOST, id="an end that did not happen"),
        pytest.param(described(COMPLETED), "run.completed", CommitState.COMMITTED, id="the end"),
        pytest.param(described(COMPLETED), "run.failed", CommitState.LOST, id="another end"),
        pytest.param(described(TERMINATED), None, CommitState.LOST, id="terminated meanwhile"),
        pytest.param(described(CONTINUED), None, CommitState.COMMITTED, id="continued as new"),
    ],
)
def test_the_description_shows_what_became_of_the_task(
    found: DescribeWorkflowExecutionResponse, terminal: str | None, expected: CommitState
) -> None:
    assert commit_state(found, history_length=5, terminal=terminal) is expected
