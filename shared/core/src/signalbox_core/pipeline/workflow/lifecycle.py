"""How a run ends: records the terminal event that follows from the workflow's own result or error.

Authors write no terminal events, so none can be forgotten.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, NoReturn

import msgspec
from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception

from signalbox_core.errors import SignalboxError
from signalbox_core.events import catalogue
from signalbox_core.events.catalogue import Failure
from signalbox_core.pipeline.contract.failures import as_application_error, failure_of
from signalbox_core.pipeline.contract.search_terms import ERROR, STEP, bounded, value_term
from signalbox_core.pipeline.workflow.approval_lifecycle import ApprovalInput
from signalbox_core.pipeline.workflow.ballot.continuation import (
    withdraw_unasked,
    withdraw_unasked_after_first_task,
)
from signalbox_core.pipeline.workflow.external.returns import finish_returns, return_unreceived
from signalbox_core.pipeline.workflow.journal import MAX_RESULT_BYTES
from signalbox_core.pipeline.workflow.state import RunState
from signalbox_core.pipeline.workflow.waits import let_waits_return, shielded, wait_until_idle
from signalbox_core.temporal.names import SEARCH_FIND

_NULL = msgspec.Raw(b"null")
OWN_CANCEL_FAILS: Final = "signalbox.own-cancel-fails"
"""The patch since which work that the workflow itself cancelled fails the run with an event; older histories
replay as recorded."""

CANCEL_ENDS: Final = "signalbox.cancel-ends"
"""The patch since which a cancelled run does not continue as new; older histories replay as recorded."""

FIND_FAILURE: Final = "signalbox.find-failure"
"""The patch since which a failed run is found by its error code and step; older histories replay as
recorded."""


class HeldContinuation(workflow.ContinueAsNewError):
    """The workflow continues as new unless an announced cancel arrives.

    Args:
        resume: continues as new.
    """

    def __init__(self, resume: Callable[[], NoReturn]) -> None:
        super().__init__()
        self.resume = resume


async def execute_run(state: RunState, body: Coroutine[Any, Any, Any]) -> Any:
    """Run the workflow's own code, record how it ended, deliver the remaining events, then return or raise.

    An error that fails the workflow task but not the workflow (a bug) and an eviction pass through unchanged:
    Temporal retries the task.

    Args:
        body: the workflow's `run` method, called but not yet awaited.
    """
    if any(asked.is_carried for asked in state.approvals.questions):
        # The event loop has only weak references to tasks.
        state.withdrawal = asyncio.create_task(
            withdraw_unasked_after_first_task(state), name="signalbox carried"
        )
    try:
        result = await _run_cancellable(state, _hold_continuation(state, body))
        await state.hold_for_cancel()
        withdraw_unasked(state)
        if not workflow.all_handlers_finished():
            await workflow.wait_condition(workflow.all_handlers_finished)
    except (asyncio.CancelledError, Exception) as error:
        if is_cancelled_exception(error):
            if workflow.cancellation_reason() is not None:
                await _finish_cancelled(state)
                raise
            # An eviction raises a bare CancelledError; a timeout in the workflow's code may leave an
            # ActivityError, with which the run fails.
            if not isinstance(error, FailureError) or not workflow.patched(OWN_CANCEL_FAILS):
                raise
        failure = as_application_error(error) if isinstance(error, SignalboxError) else error
        if not workflow.is_failure_exception(failure):
            raise
        await _finish_failed(state, error)
        raise failure from (error.__cause__ if failure is error else error)
    await _finish_completed(state, result)
    return result


async def _hold_continuation(state: RunState, body: Coroutine[Any, Any, Any]) -> Any:
    try:
        return await body
    except HeldContinuation as held:
        await state.hold_for_cancel()
        held.resume()


def end_if_cancelled(state: RunState, resume: Callable[[], NoReturn]) -> None:
    """Do not continue as new with a cancel, which the server delivers to this execution only.

    A message that wakes the workflow is handled before a cancel that arrives with it, so the cancel may only
    be announced.

    Raises:
        CancelledError: the cancel came with what woke the workflow.
        HeldContinuation: it is announced, and may not come.
    """
    is_cancelled = workflow.cancellation_reason() is not None
    if not (is_cancelled or state.is_cancelling) or not workflow.patched(CANCEL_ENDS):
        return
    if is_cancelled:
        raise asyncio.CancelledError
    raise HeldContinuation(resume)


async def _run_cancellable(state: RunState, body: Coroutine[Any, Any, Any]) -> Any:
    """Run the workflow's code in a separate task, cancelled after all other work of the workflow task.

    The server repeats a run's last workflow task when a message arrived meanwhile. If that message were
    handled first, a run that has recorded `run.completed` could now be cancelled. Handled last, the repeated
    task ends like the first one.
    """
    task = asyncio.create_task(body, name="workflow body")
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if task.done() or workflow.cancellation_reason() is None:
            return await task
        if (current := asyncio.current_task()) is not None:
            current.uncancel()
    await wait_until_idle()
    await let_waits_return()
    state.receive_cancel()
    # The message reaches the child runs as the reason of their cancel.
    task.cancel(_reason_for_children(state))
    return await task


def _reason_for_children(state: RunState) -> str:
    reason = state.cancel_reason.reason or workflow.cancellation_reason()
    return f"run {state.run_id}, which started this one, was cancelled" + (f": {reason}" if reason else "")


async def _finish_completed(state: RunState, result: object) -> None:
    body = msgspec.json.encode(result)
    raw = msgspec.Raw(body) if len(body) <= MAX_RESULT_BYTES else _NULL
    await _finish(state, "run.completed", catalogue.RunCompleted(result=raw))


async def _finish_failed(state: RunState, error: BaseException) -> None:
    failure = state.failure_for(error) or failure_of(error)
    _index_failure(failure)
    await _finish(state, "run.failed", catalogue.RunFailed(error=failure))


def _index_failure(failure: Failure) -> None:
    """Make the run searchable by its error code and its failed step, if it is searchable at all."""
    terms = workflow.info().typed_search_attributes.get(SEARCH_FIND)
    if terms is None or not workflow.patched(FIND_FAILURE):
        return
    added = [value_term(ERROR, failure.code), *([value_term(STEP, failure.step)] if failure.step else ())]
    workflow.upsert_search_attributes([SEARCH_FIND.value_set(bounded([*added, *terms]))])


async def _finish_cancelled(state: RunState) -> None:
    # An eviction during clean-up looks like a second cancellation. This wait raises on it and ends the task.
    await wait_until_idle()
    state.receive_cancel()
    await shielded(_clean_up(state))
    reason = state.cancel_reason.reason or workflow.cancellation_reason() or None
    await _finish(state, "run.cancelled", catalogue.RunCancelled(reason=reason, by=state.cancel_reason.by))


async def _clean_up(state: RunState) -> None:
    while state.clean_ups:
        clean_up = state.clean_ups.pop()
        try:
            await clean_up()
        except Exception as error:
            if not workflow.is_failure_exception(error):
                raise
            # A failing clean-up must neither hide the cancellation nor stop the other clean-ups.
            workflow.logger.exception("clean-up failed", extra={"run_id": state.run_id})


async def _finish(state: RunState, name: str, data: msgspec.Struct) -> None:
    state.outbox.close_intake()
    for asked in state.approvals.pending():
        state.approvals.close(asked.approval_id, ApprovalInput.CANCEL)
    state.record_event(name, data)
    # Before the outbox: its local activity makes patches unreliable.
    return_unreceived(state)
    await shielded(state.outbox.close())
    await finish_returns(state)
