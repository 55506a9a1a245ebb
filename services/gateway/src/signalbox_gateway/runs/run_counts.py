"""Counts runs in Temporal's visibility store."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from temporalio.client import Client, WorkflowExecutionStatus

from signalbox_core.events.snapshot import RunStatus
from signalbox_gateway.runs.search.visibility import STATUSES
from signalbox_gateway.runs.temporal_errors import map_temporal_errors

_TIMEOUT: Final = timedelta(seconds=5)


async def count_runs(client: Client, pipeline: str, *, ended_since: datetime) -> Mapping[RunStatus, int]:
    """Count the runs of a pipeline by status: the open ones, and those that ended since a time.

    Args:
        pipeline: the name of an installed pipeline, which is also the type of its workflow.

    Raises:
        Unavailable: Temporal is unavailable.
    """
    query = (
        f"WorkflowType = '{pipeline}' AND ExecutionStatus != 'ContinuedAsNew' AND "
        f"(ExecutionStatus = 'Running' OR CloseTime >= '{ended_since.isoformat()}') GROUP BY ExecutionStatus"
    )
    async with map_temporal_errors():
        found = await client.count_workflows(query, rpc_timeout=_TIMEOUT)
    return {_status(group.group_values[0]): group.count for group in found.groups}


def _status(name: object) -> RunStatus:
    """The status of runs by its name in the visibility store (`TimedOut`, older servers: `TIMED_OUT`)."""
    plain = str(name).replace("_", "").lower()
    return next(
        status
        for kind, status in STATUSES.items()
        if isinstance(kind, WorkflowExecutionStatus) and kind.name.replace("_", "").lower() == plain
    )
