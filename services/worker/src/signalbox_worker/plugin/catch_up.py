"""Shows the workflows that were open before the worker started, by a query that makes it replay them."""

import asyncio
import logging
from datetime import timedelta
from typing import Final

from temporalio.client import (
    Client,
    WorkflowExecution,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
)
from temporalio.service import RPCError

from signalbox_core.pipeline.contract.messages import QUERY_SNAPSHOT

log = logging.getLogger(__name__)
_CONCURRENCY: Final = 4
_QUERY_TIMEOUT: Final = timedelta(seconds=10)


async def catch_up(client: Client, task_queue: str, *, limit: int) -> None:
    """Query the newest open workflows of a task queue, a few at a time.

    A workflow that waits has no workflow task, so without the query it would be shown when it continues. The
    same repairs events that a killed worker had not delivered. A query adds nothing to the history.
    """
    slots = asyncio.Semaphore(_CONCURRENCY)
    quoted = task_queue.replace("\\", "\\\\").replace("'", "\\'")
    count = 0

    async def query(found: WorkflowExecution) -> None:
        try:
            handle = client.get_workflow_handle(found.id, run_id=found.run_id)
            await handle.query(QUERY_SNAPSHOT, rpc_timeout=_QUERY_TIMEOUT)
        except (RPCError, WorkflowQueryFailedError, WorkflowQueryRejectedError) as error:
            log.debug("open workflow not shown yet", extra={"workflow": found.id, "error": str(error)})
        finally:
            slots.release()

    try:
        async with asyncio.TaskGroup() as group:
            async for found in client.list_workflows(
                f"TaskQueue = '{quoted}' AND ExecutionStatus = 'Running'", limit=limit
            ):
                await slots.acquire()
                group.create_task(query(found))
                count += 1
    except* RPCError as errors:
        log.warning("open workflows not listed", extra={"error": str(errors.exceptions[0])[:300]})
    log.info("open workflows shown", extra={"task_queue": task_queue, "count": count})
