"""Cancellation of tasks."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
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


def pending_cancels() -> int:
    """How many cancellations of the current task are pending; 0 outside of a task."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return 0
    return task.cancelling() if task is not None else 0


@contextmanager
def raising_dropped_cancel() -> Iterator[None]:
    """Raise a cancellation of the current task that arrives in the block, and that the block drops.

    On Python 3.11 `wait_for`, with which redis-py reads and writes, drops one that comes just as the
    operation ends, or raises the operation's error instead. A TaskGroup cancels its tasks only once, and
    would wait for ever.
    """
    before = pending_cancels()
    try:
        yield
    except Exception:
        if pending_cancels() > before:
            raise asyncio.CancelledError from None
        raise
    if pending_cancels() > before:
        raise asyncio.CancelledError
