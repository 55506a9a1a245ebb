"""How a run ends: the terminal event follows from what the workflow itself does, so authors write nothing and none is missed."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import msgspec
from temporalio import workflow
from temporalio.exceptions import is_cancelled_exception

from signalbox_core.errors import SignalboxError
from signalbox_core.events import catalogue
from signalbox_core.pipeline.contract.failures import as_application_error, failure_of
from signalbox_core.pipeline.workflow.journal import MAX_DATA_BYTES
from signalbox_core.pipeline.workflow.scheduling import quiet, uninterrupted, waits_returned
from signalbox_core.pipeline.workflow.state import RunState

_NULL = msgspec.Raw(b"null")


async def conduct(state: RunState, story: Coroutine[Any, Any, Any]) -> Any:
    """Run the workflow's own code and record its end: completed, failed or cancelled; deliver; then let it end.

    A bug (an error that fails the workflow task, not the workflow) and an eviction pass through untouched: the task is tried again.
    """
    try:
        result = await _cancellable(state, story)
        await state.hold_for_cancel()
        if not workflow.all_handlers_finished():
            await workflow.wait_condition(workflow.all_handlers_finished)
    except (asyncio.CancelledError, Exception) as error:
        if is_cancelled_exception(error):
            if workflow.cancellation_reason() is None:
                raise
            await _cancelled(state)
            raise
        failure = as_application_error(error) if isinstance(error, SignalboxError) else error
        if not workflow.is_failure_exception(failure):
            raise
        await _failed(state, error)
        raise failure from (error.__cause__ if failure is error else error)
    await _completed(state, result)
    return result


async def _cancellable(state: RunState, story: Coroutine[Any, Any, Any]) -> Any:
    """Run the story in its own task, to which a cancel comes after everything else that this workflow task brought.

    The server repeats a run's last workflow task when a message came meanwhile. Were the message handled first, a run that has said
    `run.completed` could now be cancelled; handled last, the repeated task ends as the first one did.
    """
    task = asyncio.create_task(story, name="story")
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if task.done() or workflow.cancellation_reason() is None:
            return await task
        if (current := asyncio.current_task()) is not None:
            current.uncancel()
    await quiet()
    await waits_returned()
    state.receive_cancel()
    task.cancel()
    return await task


async def _completed(state: RunState, result: object) -> None:
    body = msgspec.json.encode(result)
    raw = msgspec.Raw(body) if len(body) < MAX_DATA_BYTES else _NULL
    await _end(state, "run.completed", catalogue.RunCompleted(result=raw))


async def _failed(state: RunState, error: BaseException) -> None:
    failure = state.failure_for(error) or failure_of(error)
    await _end(state, "run.failed", catalogue.RunFailed(error=failure))


async def _cancelled(state: RunState) -> None:
    # An eviction while the cancelled story still cleans up looks like a second cancel: here it ends, as every wait does then.
    await quiet()
    state.receive_cancel()
    await uninterrupted(_clean_up(state))
    reason = state.cancel_reason.reason or workflow.cancellation_reason() or None
    await _end(state, "run.cancelled", catalogue.RunCancelled(reason=reason, by=state.cancel_reason.by))


async def _clean_up(state: RunState) -> None:
    while state.clean_ups:
        clean_up = state.clean_ups.pop()
        try:
            await clean_up()
        except Exception as error:
            if not workflow.is_failure_exception(error):
                raise
            # A clean-up that fails must neither hide the cancellation nor stop the other clean-ups.
            workflow.logger.exception("clean-up failed", extra={"run_id": state.run_id})


async def _end(state: RunState, name: str, data: msgspec.Struct) -> None:
    state.outbox.seal()
    state.record(name, data)
    await uninterrupted(state.outbox.close())
