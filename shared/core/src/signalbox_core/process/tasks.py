"""Ending tasks for certain."""

import asyncio
from typing import Final

_SAY_AGAIN_AFTER_S: Final = 0.5


async def end(*tasks: "asyncio.Task[object] | asyncio.Future[object]") -> None:
    """Cancel the tasks and wait until they have ended; what they raise is for who awaits them.

    A cancellation is said again until it is heard. It can get lost: on Python 3.11 `wait_for`, with which redis-py writes, drops one that
    comes just as the write ends (python/cpython#86296), and a task group hides one behind an error that comes with it.
    """
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=_SAY_AGAIN_AFTER_S)
    for task in tasks:
        if not task.cancelled():
            # Looked at, so that it is not reported as never retrieved.
            task.exception()
