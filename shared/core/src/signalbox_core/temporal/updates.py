"""Sends updates, and resends them when their workflow task fails."""

import asyncio
from datetime import timedelta
from typing import Any, Final, TypeVar

from temporalio.client import WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

R = TypeVar("R")

_ATTEMPTS: Final = 6
_BACKOFF_S: Final = 0.05


async def send_update(
    handle: WorkflowHandle[Any, Any],
    update: str,
    arg: object,
    *,
    update_id: str,
    result_type: type[R],
    within: timedelta | None = None,
) -> R:
    """Execute an update; resend it while the server rejects it with FAILED_PRECONDITION (WorkflowNotReady).

    The server does so when the workflow task that accepted the update fails, for example when an update ends
    a run while one of its activities completes. The update id makes resending idempotent.

    Args:
        within: timeout of each attempt.

    Raises:
        RPCError: rejected six times, or any other error.
    """
    for attempt in range(1, _ATTEMPTS):
        try:
            return await _once(handle, update, arg, update_id, result_type, within)
        except RPCError as error:
            if error.status != RPCStatusCode.FAILED_PRECONDITION:
                raise
        await asyncio.sleep(attempt * _BACKOFF_S)
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
