"""Waiting inside a workflow: waits with a timeout, shielded work, and the end of a workflow task's work."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError

from signalbox_core.pipeline.contract.failures import rate_limit_delay

T = TypeVar("T")

RATE_LIMITS_WAIT: Final = "signalbox.rate-limits-wait"
"""The patch since which a rate limit does not use up a call; older histories replay as recorded."""

_WAIT_FOR_ITERATIONS: Final = 3
"""Loop iterations between a future's result and the return of Python 3.11's `asyncio.wait_for` around it."""


async def wait_until(condition: Callable[[], bool], within: timedelta) -> bool:
    """Wait for a condition with a timeout, without losing a cancellation that arrives at the same moment.

    `workflow.wait_condition(timeout=...)` uses `asyncio.wait_for`, which on Python 3.11 swallows a
    cancellation that arrives in the same loop iteration as the result (python/cpython#86296).
    `asyncio.timeout` does not.

    Args:
        condition: evaluated whenever the workflow's state may have changed; must be cheap and free of
            effects.
        within: the timeout; one durable timer, which is cancelled when the condition becomes true first.

    Returns:
        Whether the condition holds; False after the timeout.
    """
    if not condition():
        with suppress(TimeoutError):
            async with asyncio.timeout(within.total_seconds()):
                await workflow.wait_condition(condition)
                # Python 3.11's `asyncio.wait_for` cancels its timer one iteration later. Recorded histories
                # have their commands in that order.
                await asyncio.sleep(0)
    return condition()


class OutcomeWaits:
    """Wakes each `ask` whose question the votes have ended.

    Temporal evaluates every condition of a workflow whenever the workflow has done some work. With a
    condition for each question, every decision costs time in proportion to the questions that are open. The
    condition here looks only at the questions that have ended. It wakes their waits itself: at that point
    the other work of the workflow task is done, as it would be for a condition of their own.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._ended: list[str] = []
        self._is_watching = False
        self._watches: set[asyncio.Task[None]] = set()

    def end(self, approval_id: str) -> None:
        """Note that votes have ended a question."""
        self._ended.append(approval_id)

    async def wait(self, approval_id: str) -> None:
        """Wait until votes end a question that they have not ended yet. One wait at a time per question."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[approval_id] = future
        if not self._is_watching:
            self._watch()
        try:
            await future
        finally:
            del self._waiting[approval_id]

    def _watch(self) -> None:
        self._is_watching = True
        task = asyncio.create_task(workflow.wait_condition(self._wake_ended), name="signalbox outcomes")
        # The event loop has only weak references to tasks.
        self._watches.add(task)
        task.add_done_callback(self._watches.discard)

    def _wake_ended(self) -> bool:
        """Wake the waits of the questions that have ended; True once nothing waits any more.

        True ends the watch at once: its task ends later, and until then another wait may begin.
        """
        for approval_id in self._ended:
            future = self._waiting.get(approval_id)
            if future is not None and not future.done():
                future.set_result(None)
        self._ended.clear()
        self._is_watching = bool(self._waiting)
        return not self._is_watching


async def shielded(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` to completion even if the run is cancelled meanwhile.

    An eviction cancels every task of the workflow, so it ends `work` as well.
    """
    task = asyncio.create_task(work)
    while True:
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.done():
                return task.result()
            if (current := asyncio.current_task()) is not None:
                current.uncancel()


async def wait_until_idle() -> None:
    """Wait until everything that this workflow task brought has been handled; conditions are checked last."""
    await workflow.wait_condition(lambda: True)


async def let_waits_return() -> None:
    """Wait until every `asyncio.wait_for` whose condition just became true has returned.

    Between its result and its return, Python 3.11's `asyncio.wait_for` swallows a cancellation of its task.
    """
    for _ in range(_WAIT_FOR_ITERATIONS):
        await asyncio.sleep(0)


async def through_rate_limits(call: Callable[[], Awaitable[T]], max_wait: timedelta) -> T:
    """Run a call of an activity. When its attempts end at a rate limit, wait for it and call again.

    Args:
        max_wait: of all waits together; a longer one raises the error of the call.
    """
    waited = timedelta()
    while True:
        try:
            return await call()
        except ActivityError as error:
            delay = rate_limit_delay(error)
            if delay is None or waited + delay > max_wait or not workflow.patched(RATE_LIMITS_WAIT):
                raise
        waited += delay
        await workflow.sleep(delay)


async def all_or_first_error(jobs: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Run all jobs; on the first error cancel the others and raise it.

    A TaskGroup would raise the error wrapped in an exception group.
    """
    tasks = [asyncio.create_task(job) for job in jobs]
    try:
        await asyncio.gather(*tasks)
    except (Exception, asyncio.CancelledError):
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
