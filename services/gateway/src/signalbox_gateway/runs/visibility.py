"""Queries of Temporal's visibility store, and its statuses as those of runs. Pure."""

from collections.abc import Mapping
from typing import Final

from temporalio.client import WorkflowExecutionStatus

from signalbox_core.events.snapshot import RunStatus
from signalbox_core.temporal import names

STATUSES: Final[Mapping[WorkflowExecutionStatus | None, RunStatus]] = {
    WorkflowExecutionStatus.RUNNING: "running",
    WorkflowExecutionStatus.CONTINUED_AS_NEW: "running",
    WorkflowExecutionStatus.COMPLETED: "completed",
    WorkflowExecutionStatus.FAILED: "failed",
    WorkflowExecutionStatus.CANCELED: "cancelled",
    WorkflowExecutionStatus.TERMINATED: "terminated",
    WorkflowExecutionStatus.TIMED_OUT: "timed_out",
}
_OPEN: Final = "Running"


def visibility_query(*, tenant: str, pipeline: str | None, status: RunStatus | None) -> str:
    """Build a visibility query. Values are quoted, so none can widen the query."""
    parts = [f"{names.SEARCH_TENANT.name} = {_quoted(tenant)}"]
    if pipeline is not None:
        parts.append(f"{names.SEARCH_PIPELINE.name} = {_quoted(pipeline)}")
    if status is not None:
        parts.append(f"ExecutionStatus = {_quoted(_execution_status(status))}")
    return " AND ".join(parts)


def _execution_status(status: RunStatus) -> str:
    return next(
        (kind.name.title().replace("_", "") for kind, name in STATUSES.items() if kind and name == status),
        _OPEN,
    )


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
