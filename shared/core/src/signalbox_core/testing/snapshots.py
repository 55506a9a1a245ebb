"""For pipeline authors: the state of a run under test."""

import asyncio
from typing import Any, Final

from temporalio.client import WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from signalbox_core.events import Snapshot
from signalbox_core.pipeline.contract import messages

_POLL_S: Final = 0.02


async def query_snapshot(handle: WorkflowHandle[Any, Any], *, within_s: float = 30.0) -> Snapshot:
    """Query a run for its state.

    Temporal waits a second for the first workflow task of an execution and then refuses the query, so on a
    busy machine it is repeated.

    Raises:
        RPCError: refused for `within_s` seconds, or any other error.
    """
    deadline = asyncio.get_running_loop().time() + within_s
    while True:
        try:
            found: Snapshot = await handle.query(messages.QUERY_SNAPSHOT, result_type=Snapshot)
        except RPCError as error:
            is_late = asyncio.get_running_loop().time() > deadline
            if is_late or error.status != RPCStatusCode.FAILED_PRECONDITION:
                raise
        else:
            return found
        await asyncio.sleep(_POLL_S)
