"""Wait for a condition with a deadline, never for a duration."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(condition: Callable[[], T | Awaitable[T]], *, within_s: float = 10.0, every_s: float = 0.02) -> T:
    """Return the condition's first truthy value; fail, naming the last one, when none comes within `within_s` seconds."""
    deadline = time.monotonic() + within_s
    while True:
        outcome = condition()
        value = await outcome if inspect.isawaitable(outcome) else outcome
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s} s: {getattr(condition, '__name__', condition)!r} gave {value!r}")
        await asyncio.sleep(every_s)
