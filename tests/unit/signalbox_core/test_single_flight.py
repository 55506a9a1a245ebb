"""Concurrent calls for one key share one execution, whichever caller leaves and however it ends."""

import asyncio
import gc
from typing import Any

import pytest

from signalbox_core.errors import Unavailable
from signalbox_core.process.single_flight import SingleFlight


class Loader:
    """Counts executions; each waits until `finish` is set, then returns or raises."""

    def __init__(self, error: Exception | None = None) -> None:
        self.keys: list[str] = []
        self.finish = asyncio.Event()
        self._error = error

    async def load(self, key: str) -> str:
        self.keys.append(key)
        await self.finish.wait()
        if self._error is not None:
            raise self._error
        return f"{key}-{len(self.keys)}"


async def started(flight: SingleFlight[str, str], *keys: str) -> list[asyncio.Task[str]]:
    tasks = [asyncio.create_task(flight.get(key)) for key in keys]
    for _ in range(2):
        await asyncio.sleep(0)
    return tasks


async def test_concurrent_calls_of_one_key_share_one_execution() -> None:
    loader = Loader()
    tasks = await started(SingleFlight(loader.load), "a", "a", "b")
    loader.finish.set()
    assert await asyncio.gather(*tasks) == ["a-2", "a-2", "b-2"]
    assert loader.keys == ["a", "b"]


async def test_a_call_after_the_execution_has_finished_starts_a_new_one() -> None:
    loader = Loader()
    flight = SingleFlight(loader.load)
    loader.finish.set()
    assert [await flight.get("a"), await flight.get("a")] == ["a-1", "a-2"]


async def test_every_caller_gets_the_exception() -> None:
    loader = Loader(Unavailable("down"))
    tasks = await started(SingleFlight(loader.load), "a", "a")
    loader.finish.set()
    for task in tasks:
        with pytest.raises(Unavailable, match="down"):
            await task


async def test_a_cancelled_caller_leaves_the_execution_to_the_others() -> None:
    loader = Loader()
    first, second = await started(SingleFlight(loader.load), "a", "a")
    first.cancel()
    await asyncio.wait([first])
    loader.finish.set()
    assert (first.cancelled(), await second) == (True, "a-1")


async def test_a_failure_after_the_last_caller_left_is_not_reported_by_asyncio() -> None:
    reported = list[dict[str, Any]]()
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: reported.append(context))
    loader = Loader(Unavailable("down"))
    flight = SingleFlight(loader.load)
    (caller,) = await started(flight, "a")
    caller.cancel()
    await asyncio.wait([caller])
    loader.finish.set()
    running = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.wait(running)
    del caller, running
    gc.collect()
    assert reported == []
