"""Taking turns inside a workflow: finish something although the run is cancelled, wait until the others have had theirs."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from temporalio import workflow

T = TypeVar("T")


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
    """Return when everything that this workflow task brought has been handled: conditions are looked at last."""
    await workflow.wait_condition(lambda: True)
