"""Why a run is blocked: reads the latest failure of its workflow task, and explains it."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import Struct
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryReverseRequest
from temporalio.client import Client, WorkflowHistory

from signalbox_core.events.snapshot import BlockedState
from signalbox_core.temporal.decrypted_history import open_history

_FAILED: Final = EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
_TIMED_OUT: Final = EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT
_EVENTS: Final = 10
"""How many of the latest events are searched for the failure; attempts after the first record none."""
_MAX_CHARS: Final = 1_000
_FRAME: Final = re.compile(r'File "([^"]+)", line (\d+), in (\S+)')
_LIBRARY: Final = re.compile(r"/(site-packages|temporalio|signalbox_core|asyncio|contextlib\.py)")


class TaskFailure(Struct, frozen=True, kw_only=True):
    """Why the workflow task failed last. `cause`: Temporal's, in lower case (`non_deterministic_error`)."""

    cause: str
    message: str
    stack_trace: str
    at: datetime


async def last_task_failure(client: Client, workflow_id: str, *, deadline: timedelta) -> TaskFailure | None:
    """Return the latest failure of a workflow's task; None when its latest events have none.

    Raises:
        RPCError: Temporal does not respond within the deadline, or has no such workflow.
        Unavailable: a payload key is missing.
    """
    request = GetWorkflowExecutionHistoryReverseRequest(
        namespace=client.namespace,
        execution=WorkflowExecution(workflow_id=workflow_id),
        maximum_page_size=_EVENTS,
    )
    found = await client.workflow_service.get_workflow_execution_history_reverse(request, timeout=deadline)
    event = next((event for event in found.history.events if event.event_type in (_FAILED, _TIMED_OUT)), None)
    if event is None:
        return None
    await open_history(WorkflowHistory(workflow_id, [event]), client.data_converter)
    return task_failure(event)


def task_failure(event: HistoryEvent) -> TaskFailure:
    """Convert a failure or timeout of a workflow task. Pure."""
    at = event.event_time.ToDatetime(UTC)
    if event.event_type == _TIMED_OUT:
        return TaskFailure(cause="timed_out", message="", stack_trace="", at=at)
    failed = event.workflow_task_failed_event_attributes
    cause = WorkflowTaskFailedCause.Name(failed.cause).removeprefix("WORKFLOW_TASK_FAILED_CAUSE_").lower()
    return TaskFailure(
        cause=cause, message=failed.failure.message, stack_trace=failed.failure.stack_trace, at=at
    )


def failure_condition(failure: TaskFailure, step: str | None) -> BlockedState:
    """The condition of a run whose workflow task fails."""
    code = failure_code(failure)
    where = f" in step {step}" if step else ""
    line = failing_line(failure.stack_trace)
    place = f"{where} at {line}" if line else where
    message = failure.message.strip()[:_MAX_CHARS]
    match code:
        case "non_determinism":
            reason = (
                f"the workflow code does not match the run's history{place}: {message}. Deploy the earlier"
                " code, or guard the change with workflow.patched"
            )
        case "deadlock":
            reason = (
                f"the workflow code did not yield in time{place}: {message}. Move blocking work into an"
                " activity, and deploy the fix"
            )
        case "task_timeout":
            reason = (
                f"a worker took the workflow task{where} and did not complete it in time. Look for blocking"
                " workflow code, or for an overloaded or killed worker"
            )
        case _:
            reason = f"the workflow code failed{place}: {message}. The run continues once a fix is deployed"
    return BlockedState(code=code, reason=reason, since=failure.at)


def failure_code(failure: TaskFailure) -> str:
    if failure.cause == "non_deterministic_error":
        return "non_determinism"
    if failure.cause == "timed_out":
        return "task_timeout"
    return "deadlock" if "deadlock" in failure.message.lower() else "workflow_error"


def failing_line(stack_trace: str) -> str | None:
    """The innermost line of the pipeline's own code in a stack trace: `workflow.py:39 (run)`."""
    own = [found for found in _FRAME.findall(stack_trace) if not _LIBRARY.search(found[0])]
    if not own:
        return None
    path, line, function = own[-1]
    return f"{path.rpartition('/')[2]}:{line} ({function})"
