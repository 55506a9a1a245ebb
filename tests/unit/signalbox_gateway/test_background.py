"""Background loops are restarted after errors and stop on cancellation."""

import asyncio

import pytest

from signalbox_core.errors import Unavailable
from signalbox_gateway.background.supervisor import run_in_background, supervise


async def test_a_failed_loop_is_restarted(caplog: pytest.LogCaptureFixture) -> None:
    errors = iter([Unavailable("Redis is unavailable"), ValueError("a bug")])
    ran = 0

    async def loop() -> None:
        nonlocal ran
        ran += 1
        error = next(errors, None)
        if error is not None:
            raise error

    await supervise("part", loop, first_pause_s=0)

    assert ran == 3
    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR"]


async def test_leaving_ends_every_loop_even_one_that_fails_while_stopping() -> None:
    ended = []
    begun = asyncio.Event(), asyncio.Event()

    async def orderly() -> None:
        begun[0].set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("orderly")

    async def clumsy() -> None:
        begun[1].set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("clumsy")
            raise ValueError("lost on the way out") from None

    async with run_in_background({"orderly": orderly, "clumsy": clumsy}):
        await asyncio.gather(*(event.wait() for event in begun))

    assert sorted(ended) == ["clumsy", "orderly"]
