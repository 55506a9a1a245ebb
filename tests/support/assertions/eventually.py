"""Wait for a condition with a deadline, never for a duration."""

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import TypeVar, overload

from signalbox_core.process.tasks import cancel_and_wait

T = TypeVar("T")
_ANSWERS_WITHIN_S = 15.0


@overload
async def eventually(
    condition: Callable[[], Awaitable[T | None]], *, within_s: float = 30.0, every_s: float = 0.02
) -> T: ...


@overload
async def eventually(
    condition: Callable[[], T | None], *, within_s: float = 30.0, every_s: float = 0.02
) -> T: ...


async def eventually(
    condition: Callable[[], object], *, within_s: float = 30.0, every_s: float = 0.02
) -> object:
    """Return the condition's first truthy value; fail, naming the last one, when none comes within `within_s`
    seconds.

    A condition that never answers is a failure too, with its name, and not a hanging test.
    """
    deadline = time.monotonic() + within_s
    while True:
        outcome = condition()
        value = await _answer(condition, outcome, within_s) if inspect.isawaitable(outcome) else outcome
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(
                f"not within {within_s} s: {getattr(condition, '__name__', condition)!r} gave {value!r}"
            )
        await asyncio.sleep(every_s)


async def _answer(condition: Callable[[], object], outcome: Awaitable[T], within_s: float) -> T:
    silent_s = within_s + _ANSWERS_WITHIN_S
    try:
        async with asyncio.timeout(silent_s) as limit:
            return await outcome
    except TimeoutError:
        if not limit.expired():
            raise
        raise AssertionError(
            f"no answer within {silent_s} s: {getattr(condition, '__name__', condition)!r}"
        ) from None


@asynccontextmanager
async def beside(work: Coroutine[object, object, object]) -> AsyncIterator[None]:
    """Run a coroutine until the block ends; its exception is discarded."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        await cancel_and_wait(task)
