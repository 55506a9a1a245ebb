"""For activity authors: heartbeats during a call that reports no progress of its own."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Final

from signalbox_core.process.tasks import cancel_and_wait

INTERVAL_S: Final = 4.0


@contextlib.asynccontextmanager
async def heartbeating(send: Callable[[], None], *, interval_s: float = INTERVAL_S) -> AsyncIterator[None]:
    """Call `send` at a fixed interval until the block ends.

    Args:
        send: sends one heartbeat, for example `activity.heartbeat`, or reports the progress.
        interval_s: less than half of the activity's heartbeat timeout.
    """

    async def send_periodically() -> None:
        while True:
            await asyncio.sleep(interval_s)
            send()

    task = asyncio.create_task(send_periodically(), name="heartbeat")
    try:
        yield
    finally:
        await cancel_and_wait(task)
