"""Runs background loops. A loop that fails is restarted with exponential backoff."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from signalbox_core.errors import Unavailable
from signalbox_core.process.tasks import cancel_and_wait

log = logging.getLogger(__name__)
Loop = Callable[[], Awaitable[None]]
_FIRST_PAUSE_S = 0.5
_MAX_PAUSE_S = 15.0


@asynccontextmanager
async def run_in_background(loops: Mapping[str, Loop]) -> AsyncIterator[None]:
    """Run the loops for the duration of the block, then cancel and await them."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(supervise(name, loop), name=name) for name, loop in loops.items()]
        try:
            yield
        finally:
            await cancel_and_wait(*tasks)


async def supervise(name: str, loop: Loop, *, first_pause_s: float = _FIRST_PAUSE_S) -> None:
    """Run one loop until it returns or is cancelled; restart it with backoff after an error."""
    pause_s = first_pause_s
    while True:
        started_at = asyncio.get_running_loop().time()
        try:
            await loop()
            return
        except Unavailable as error:
            _raise_if_cancelled()
            log.warning(
                "background loop failed: backend unavailable",
                extra={"loop": name, "detail": error.detail, "pause_s": pause_s},
            )
        except Exception:
            _raise_if_cancelled()
            # The edge of a loop: a bug in one must not stop the others.
            log.exception("background loop failed", extra={"loop": name, "pause_s": pause_s})
        was_stable = asyncio.get_running_loop().time() - started_at > _MAX_PAUSE_S
        pause_s = first_pause_s if was_stable else min(pause_s * 2, _MAX_PAUSE_S)
        await asyncio.sleep(pause_s)


def _raise_if_cancelled() -> None:
    """An error raised during cancellation must not hide the cancellation."""
    task = asyncio.current_task()
    if task is not None and task.cancelling() > 0:
        raise asyncio.CancelledError from None
