"""A task is re-cancelled until it finishes, also when it swallowed the first cancellation."""

import asyncio

import pytest

from signalbox_core.process.tasks import cancel_and_wait


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
