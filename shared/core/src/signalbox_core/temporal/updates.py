"""Sending an update so that it survives a workflow task that is tried again."""

import asyncio
from datetime import timedelta
from typing import Any, Final, TypeVar

from temporalio.client import WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

R = TypeVar("R")

_TRIES: Final = 6
_PAUSE_S: Final = 0.05


async def send_update(
    handle: WorkflowHandle[Any, Any],
    update: str,
    arg: object,
    *,
    update_id: str,
    result_type: type[R],
    within: timedelta | None = None,
) -> R:
    """Execute an update by its id; sent again when the server gave it back (FAILED_PRECONDITION, WorkflowNotReady).

    It does so when the workflow task that took the update fails, as happens when an update ends a run while an activity of it reports:
    the task is made anew and the update with it only if it is sent anew. The id keeps it one update.

    Args:
        within: of each try.

    Raises:
        RPCError: given back six times, or any other error.
    """
    for attempt in range(1, _TRIES):
        try:
            return await _once(handle, update, arg, update_id, result_type, within)
        except RPCError as error:
            if error.status != RPCStatusCode.FAILED_PRECONDITION:
                raise
        await asyncio.sleep(attempt * _PAUSE_S)
    return await _once(handle, update, arg, update_id, result_type, within)


async def _once(
    handle: WorkflowHandle[Any, Any],
    update: str,
    arg: object,
    update_id: str,
    result_type: type[R],
    within: timedelta | None,
) -> R:
    outcome: R = await handle.execute_update(
        update, arg, id=update_id, result_type=result_type, rpc_timeout=within
    )
    return outcome
