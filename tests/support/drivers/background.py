"""Something that runs until it is told to stop, around a test's body."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable


@contextlib.asynccontextmanager
async def running(work: Callable[[asyncio.Event], Awaitable[None]]) -> AsyncIterator[None]:
    """Run `work(stop)` beside the body; afterwards set `stop` and wait for its end."""
    stop = asyncio.Event()
    task = asyncio.ensure_future(work(stop))
    try:
        yield
    finally:
        stop.set()
        await task
