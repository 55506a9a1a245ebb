"""A task is re-cancelled until it finishes, also when it swallowed the first cancellation."""

import asyncio
from contextlib import suppress

import pytest

from signalbox_core.errors import Unavailable
from signalbox_core.process.tasks import cancel_and_wait
from signalbox_core.redis.client import map_redis_errors


async def deaf(times: int) -> None:
    """Miss this many cancellations."""
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if times == 0:
                raise
            times -= 1


async def failing() -> None:
    try:
        await asyncio.Event().wait()
    finally:
        raise ValueError("on the way out")


async def test_a_swallowed_cancellation_is_repeated() -> None:
    tasks = [asyncio.create_task(deaf(times)) for times in range(3)]
    await asyncio.sleep(0)
    await cancel_and_wait(*tasks)
    assert all(task.cancelled() for task in tasks)


async def test_an_error_on_the_way_out_is_the_tasks_own() -> None:
    task = asyncio.create_task(failing())
    await asyncio.sleep(0)
    await cancel_and_wait(task)
    with pytest.raises(ValueError, match="on the way out"):
        await task


async def test_what_is_over_stays_over() -> None:
    task = asyncio.create_task(asyncio.sleep(0, "done"))
    await task
    await cancel_and_wait(task)
    await cancel_and_wait()
    assert task.result() == "done"


async def dropping(arrived: asyncio.Event, error: Exception | None) -> None:
    """Drop a cancellation, as Python 3.11's `wait_for` does when it comes as the work ends, or fails."""
    with suppress(asyncio.CancelledError):
        arrived.set()
        await asyncio.Event().wait()
    if error is not None:
        raise error


@pytest.mark.parametrize("error", [None, ConnectionError("gone")], ids=["the work ended", "it failed"])
async def test_a_cancel_that_redis_drops_is_raised(error: Exception | None) -> None:
    arrived = asyncio.Event()

    async def loop() -> None:
        while True:
            with suppress(Unavailable), map_redis_errors("things"):
                await dropping(arrived, error)

    task = asyncio.create_task(loop())
    await arrived.wait()
    task.cancel()
    await asyncio.wait([task], timeout=30)

    assert task.cancelled()


async def test_a_cancelled_task_can_still_use_redis_to_clean_up() -> None:
    cleaned: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            with map_redis_errors("things"):
                await asyncio.sleep(0)
            cleaned.append("done")

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task], timeout=30)

    assert (task.cancelled(), cleaned) == (True, ["done"])


async def test_a_timeout_in_the_block_does_not_cancel_the_task() -> None:
    with pytest.raises(Unavailable), map_redis_errors("things"):
        async with asyncio.timeout(0):
            await asyncio.Event().wait()
