"""Single flight: concurrent calls for the same key share one execution."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class SingleFlight(Generic[K, V]):
    """Share one execution of `load(key)` among all callers that arrive while it runs.

    - The first caller starts it as a task; callers that arrive before it has finished wait for the same task.
    - All of them get the same result, or the same exception.
    - Nothing is cached: a caller that arrives after it has finished starts a new execution.
    - A caller that is cancelled stops waiting. The execution continues for the others, and also when no
      caller is left; its result or exception is then discarded. So `load` must bound its own time.
    """

    def __init__(self, load: Callable[[K], Awaitable[V]]) -> None:
        self._load = load
        self._running: dict[K, asyncio.Task[V]] = {}

    async def get(self, key: K) -> V:
        """Wait for the execution of this key; start it if none is running.

        Raises:
            Exception: whatever `load` raises.
        """
        task = self._running.get(key)
        if task is None:
            task = asyncio.create_task(self._execute(key))
            self._running[key] = task
            task.add_done_callback(lambda done: self._finish(key, done))
        return await asyncio.shield(task)

    async def _execute(self, key: K) -> V:
        return await self._load(key)

    def _finish(self, key: K, task: asyncio.Task[V]) -> None:
        del self._running[key]
        if not task.cancelled():
            # Retrieved for the case that every caller has left; asyncio would report it as never retrieved.
            task.exception()
