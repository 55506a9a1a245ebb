"""Tenants' CPU work in processes: deadlines, memory limits, fairness, and nothing left behind."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from signalbox_core.errors import InvalidInput, LimitExceeded, RateLimited, Unavailable
from signalbox_core.process.cpu_pool import CpuPool
from signalbox_core.process.fair_queue import FairQueue
from support.assertions.eventually import eventually

SOON = timedelta(seconds=0.5)
LONG = timedelta(seconds=30)
MEGABYTE = 1_000_000


@pytest.fixture
async def pool() -> AsyncIterator[CpuPool]:
    async with CpuPool(processes=2, memory_bytes=200 * MEGABYTE) as opened:
        yield opened


def double(number: int) -> int:
    return 2 * number


def pid() -> int:
    return os.getpid()


def hang_in_python(marker: str) -> None:
    Path(marker).write_text(str(os.getpid()))
    while True:
        pass


def hang_in_c(marker: str) -> None:
    Path(marker).write_text(str(os.getpid()))
    # Exponential backtracking inside one C call that never releases the interpreter lock.
    re.match(r"(a+)+$", "a" * 60 + "b")


def take(megabytes: int) -> int:
    return len(bytearray(megabytes * MEGABYTE))


def refuse() -> None:
    raise InvalidInput("no page 7", field="page", code="no_such_page", page=7)


def die() -> None:
    os.abort()


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return b") Z " not in Path(f"/proc/{process}/stat").read_bytes()


async def test_a_result_comes_back_from_another_process(pool: CpuPool) -> None:
    assert await pool.run(double, 21, tenant="acme", within=LONG) == 42
    assert await pool.run(pid, tenant="acme", within=LONG) != os.getpid()


@pytest.mark.parametrize("hang", [hang_in_python, hang_in_c])
async def test_a_process_is_killed_at_its_deadline(
    pool: CpuPool, tmp_path: Path, hang: Callable[[str], None]
) -> None:
    marker = tmp_path / "pid"

    # The process, whose priority is low, has to write its id before.
    within = timedelta(seconds=5)
    with pytest.raises(LimitExceeded, match=r"this page took more than 5 s of CPU time") as refused:
        await pool.run(hang, str(marker), tenant="acme", within=within, subject="page")

    assert refused.value.facts == {"limit": "time"}
    process = int(marker.read_text())
    await eventually(lambda: not is_alive(process))
    assert await pool.run(double, 2, tenant="acme", within=LONG) == 4


async def test_memory_beyond_the_limit_is_refused_and_the_pool_goes_on(pool: CpuPool) -> None:
    assert await pool.run(take, 50, tenant="acme", within=LONG) == 50 * MEGABYTE

    with pytest.raises(LimitExceeded, match="needs more than 200 MB"):
        await pool.run(take, 1_000, tenant="acme", within=LONG)

    assert await pool.run(double, 2, tenant="acme", within=LONG) == 4


async def test_our_errors_keep_their_code_field_and_facts(pool: CpuPool) -> None:
    with pytest.raises(InvalidInput, match="no page 7") as refused:
        await pool.run(refuse, tenant="acme", within=LONG)

    error = refused.value
    assert (error.stable_code, error.field, error.facts) == ("no_such_page", "page", {"page": 7})


async def test_a_process_that_dies_may_be_tried_again(pool: CpuPool) -> None:
    with pytest.raises(Unavailable, match="died"):
        await pool.run(die, tenant="acme", within=LONG)

    assert await pool.run(double, 2, tenant="acme", within=LONG) == 4


async def test_a_cancelled_call_kills_its_process(pool: CpuPool, tmp_path: Path) -> None:
    marker = tmp_path / "pid"
    call = asyncio.create_task(pool.run(hang_in_c, str(marker), tenant="acme", within=LONG))
    await eventually(lambda: marker.exists() and marker.read_text())

    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call

    process = int(marker.read_text())
    await eventually(lambda: not is_alive(process))
    assert await pool.run(double, 2, tenant="acme", within=LONG) == 4


async def test_one_tenants_hanging_calls_delay_another_by_one_deadline_at_most(tmp_path: Path) -> None:
    async with CpuPool(processes=1, memory_bytes=200 * MEGABYTE) as pool:
        await pool.run(double, 1, tenant="warm-up", within=LONG)
        hanging = [
            asyncio.create_task(pool.run(hang_in_c, str(tmp_path / str(n)), tenant="bad", within=SOON))
            for n in range(5)
        ]
        await eventually(lambda: pool.busy == 1 and pool.waiting == 4)

        assert await pool.run(double, 4, tenant="good", within=LONG) == 8

        assert sum(task.done() for task in hanging) <= 2
        await asyncio.gather(*hanging, return_exceptions=True)
        assert pool.outcomes["timeout"] == 5


async def test_the_processes_end_with_the_pool(tmp_path: Path) -> None:
    marker = tmp_path / "pid"
    async with CpuPool(processes=1, memory_bytes=200 * MEGABYTE) as pool:
        call = asyncio.create_task(pool.run(hang_in_c, str(marker), tenant="acme", within=LONG))
        await eventually(lambda: marker.exists() and marker.read_text())

    await asyncio.gather(call, return_exceptions=True)
    process = int(marker.read_text())
    await eventually(lambda: not is_alive(process))


async def test_tenants_take_turns() -> None:
    queue = FairQueue(1, max_waiting=100)
    order: list[str] = []

    async def call(tenant: str) -> None:
        async with queue.permit(tenant):
            order.append(tenant)
            await asyncio.sleep(0)

    held = queue.permit("first")
    await held.__aenter__()
    calls = [asyncio.create_task(call(tenant)) for tenant in ["a"] * 5 + ["b"] * 2]
    await eventually(lambda: queue.waiting == len(calls))
    await held.__aexit__(None, None, None)
    await asyncio.gather(*calls)

    assert order == ["a", "b", "a", "b", "a", "a", "a"]


async def test_a_waiting_call_that_is_cancelled_takes_no_permit() -> None:
    queue = FairQueue(1, max_waiting=1)
    async with queue.permit("a"):
        waiting = asyncio.create_task(queue.permit("b").__aenter__())
        await eventually(lambda: queue.waiting == 1)
        with pytest.raises(RateLimited, match="tenant b has 1 calls waiting"):
            await queue.permit("b").__aenter__()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert queue.waiting == 0
    async with queue.permit("c"):
        pass


async def test_one_tenant_leaves_a_permit_to_the_others() -> None:
    queue = FairQueue(2, max_waiting=100)
    async with queue.permit("a"):
        second = asyncio.create_task(queue.permit("a").__aenter__())
        await eventually(lambda: queue.waiting == 1)

        async with asyncio.timeout(30), queue.permit("b"):
            assert queue.waiting == 1, "a waits although a permit is free after b"

        assert not second.done()
    await second


async def test_a_pool_is_stalled_only_while_calls_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with CpuPool(processes=1, memory_bytes=200 * MEGABYTE) as pool:
        monkeypatch.setattr("signalbox_core.process.cpu_pool._STALLED_AFTER_S", -1.0)
        stalled = [pool.is_stalled]
        calls = [
            asyncio.create_task(pool.run(hang_in_c, str(tmp_path / str(n)), tenant="a", within=LONG))
            for n in range(2)
        ]
        await eventually(lambda: pool.waiting == 1)

        stalled.append(pool.is_stalled)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        stalled.append(pool.is_stalled)

    assert stalled == [False, True, False], "only while a call waits"
