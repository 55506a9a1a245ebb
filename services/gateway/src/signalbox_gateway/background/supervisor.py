"""What runs beside the requests: each loop is started again, with growing pauses, when it ends by an error."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from signalbox_core.errors import Unavailable
from signalbox_core.process.tasks import cancel_and_wait

log = logging.getLogger(__name__)
Loop = Callable[[], Awaitable[None]]
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 15.0


@asynccontextmanager
async def running(loops: Mapping[str, Loop]) -> AsyncIterator[None]:
    """Run the loops until the block ends; then they are cancelled and awaited."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(keep(name, loop), name=name) for name, loop in loops.items()]
        try:
            yield
        finally:
            await cancel_and_wait(*tasks)


async def keep(name: str, loop: Loop, *, first_pause_s: float = _FIRST_PAUSE_S) -> None:
    """Run one loop until it ends well or is cancelled."""
    pause_s = first_pause_s
    while True:
        began = asyncio.get_running_loop().time()
        try:
            await loop()
            return
        except Unavailable as error:
            _stop_if_told()
            log.warning(
                "background part waits for its backend",
                extra={"part": name, "detail": error.detail, "pause_s": pause_s},
            )
        except Exception:
            _stop_if_told()
            # The edge of a part: a bug in one must not end the others.
            log.exception("background part failed", extra={"part": name, "pause_s": pause_s})
        has_worked = asyncio.get_running_loop().time() - began > _LONGEST_PAUSE_S
        pause_s = first_pause_s if has_worked else min(pause_s * 2, _LONGEST_PAUSE_S)
        await asyncio.sleep(pause_s)


def _stop_if_told() -> None:
    """An error on the way out must not hide that we were told to stop."""
    task = asyncio.current_task()
    if task is not None and task.cancelling() > 0:
        raise asyncio.CancelledError from None
