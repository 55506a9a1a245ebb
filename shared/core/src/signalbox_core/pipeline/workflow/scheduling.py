"""Waiting inside a workflow: shielded work, waits with a timeout, and the end of a workflow task's work."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final, TypeVar

from temporalio import workflow

T = TypeVar("T")

_WAIT_FOR_HOPS: Final = 3
"""Loop iterations between a future's result and the return of Python 3.11's `asyncio.wait_for` around it."""


async def wait_until(condition: Callable[[], bool], within: timedelta) -> bool:
    """Wait for a condition; a cancellation that arrives with it is never lost.

    `workflow.wait_condition(timeout=...)` uses `asyncio.wait_for`, which on Python 3.11 returns the result and
    drops a cancellation that arrives in the same turn (python/cpython#86296); `asyncio.timeout` does not.

    Returns:
        Whether the condition holds; False after the timeout.
    """
    if not condition():
        with suppress(TimeoutError):
            async with asyncio.timeout(within.total_seconds()):
                await workflow.wait_condition(condition)
                # As late as `asyncio.wait_for` of Python 3.11 ends the timer: recorded histories keep their order.
                await asyncio.sleep(0)
    return condition()


async def uninterrupted(work: Coroutine[Any, Any, T]) -> T:
    """Finish `work` although the run is cancelled meanwhile; an eviction, which cancels every task, ends it."""
    task = asyncio.create_task(work)
    while True:
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.done():
                return task.result()
            if (current := asyncio.current_task()) is not None:
                current.uncancel()


async def quiet() -> None:
    """Return when everything that this workflow task brought has been handled: conditions are checked last."""
    await workflow.wait_condition(lambda: True)


async def waits_returned() -> None:
    """Return when every `asyncio.wait_for` whose condition just became true has returned.

    While one has its result and has not returned, Python 3.11 drops a cancellation of its task.
    """
    for _ in range(_WAIT_FOR_HOPS):
        await asyncio.sleep(0)
