"""Cancellation of tasks."""

import asyncio
from typing import Final

_CANCEL_AGAIN_AFTER_S: Final = 0.5


async def cancel_and_wait(*tasks: "asyncio.Task[object] | asyncio.Future[object]") -> None:
    """Cancel the tasks and wait until they have finished; what they raise is not raised here.

    A task is re-cancelled until it finishes, because a cancellation can get lost: on Python 3.11
    `wait_for`, with which redis-py writes, drops one that comes just as the write ends
    (python/cpython#86296), and a task group hides one behind an error that comes with it.
    """
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_CANCEL_AGAIN_AFTER_S)
    for task in tasks:
        if not task.cancelled():
            # Retrieved, so that asyncio does not report it as never retrieved.
            task.exception()
