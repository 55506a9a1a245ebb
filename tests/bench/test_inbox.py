"""The inbox: a page of 100,000 approvals against one of ten, and the gateway beside its readers."""

import asyncio
import statistics
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, suppress
from typing import Any

import httpx2
import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from signalbox_core.process.tasks import cancel_and_wait
from signalbox_core.streams import RedisRunStream
from signalbox_devstack.stack.keys import TENANT
from support.assertions.eventually import eventually
from support.bench.inboxes import fill_inbox
from support.fakes.events import story
from support.servers.stack import RunningStack, running_stack

FEW, MANY = 10, 100_000
CALLS = 300
MAX_PAGE_RATIO = 2.0
READERS = 50
CHANGES_PER_S = 20
HEALTH_CALLS = 400
MAX_HEALTH_RATIO = 3.0


async def duration_ms(call: Callable[[], Coroutine[Any, Any, object]]) -> float:
    began = time.perf_counter()
    await call()
    return (time.perf_counter() - began) * 1000


async def test_a_page_costs_the_same_however_many_approvals_are_pending(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as redis:
        await redis.flushall()
        await fill_inbox(redis, "few", FEW)
        await fill_inbox(redis, "many", MANY)
        streams = RedisRunStream(redis)
        took: dict[str, list[float]] = {"few": [], "many": []}
        for _ in range(CALLS):
            for tenant, times in took.items():
                times.append(await duration_ms(lambda tenant=tenant: streams.inbox(tenant, limit=FEW)))
        total = (await streams.inbox("many", limit=FEW)).total
    few, many = statistics.median(took["few"]), statistics.median(took["many"])
    sys.stdout.write(
        f"\na page of {FEW}: {few:.2f} ms of {FEW} pending, {many:.2f} ms of {total:,}: {many / few:.2f} ×\n"
    )
    assert total == MANY
    assert many <= MAX_PAGE_RATIO * few


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with running_stack(tmp_path_factory.mktemp("inbox"), "--only", "gateway") as stack:
        yield stack


async def test_health_answers_beside_fifty_readers_of_a_large_inbox(stack: RunningStack) -> None:
    endpoints = stack.endpoints
    origin, headers = str(endpoints.gateway), {"authorization": f"Bearer {endpoints.api_keys['admin']}"}
    received = [0] * READERS
    async with AsyncExitStack() as resources:
        redis = await resources.enter_async_context(Redis.from_url(endpoints.redis))
        health = await resources.enter_async_context(httpx2.AsyncClient(base_url=origin))
        await fill_inbox(redis, TENANT, MANY)
        idle = await health_p95(health)
        readers = [asyncio.create_task(read(origin, headers, received, place)) for place in range(READERS)]
        changes = asyncio.create_task(change_often(RedisRunStream(redis)))
        try:
            await eventually(lambda: all(received), within_s=60)
            busy = await health_p95(health)
        finally:
            for task in (changes, *readers):
                await cancel_and_wait(task)
    sys.stdout.write(
        f"\n/healthz p95: idle {idle:.1f} ms, beside {READERS} readers {busy:.1f} ms: {busy / idle:.2f} ×;"
        f" {sum(received)} inboxes sent\n"
    )
    assert busy <= MAX_HEALTH_RATIO * idle


async def health_p95(client: httpx2.AsyncClient) -> float:
    times = [await duration_ms(lambda: client.get("/healthz")) for _ in range(HEALTH_CALLS)]
    return statistics.quantiles(times, n=20)[-1]


async def read(origin: str, headers: dict[str, str], received: list[int], place: int) -> None:
    """Read the feed; counts the events."""
    async with (
        httpx2.AsyncClient(base_url=origin, headers=headers, timeout=None) as client,
        client.stream("GET", "/v1/approvals/stream") as response,
    ):
        assert response.status_code == 200
        async for chunk in response.aiter_raw():
            received[place] += chunk.count(b"event: inbox")


async def change_often(streams: RedisRunStream) -> None:
    """Open and close questions."""
    number = 0
    with suppress(asyncio.CancelledError):
        while True:
            events = [
                replace(event, tenantid=TENANT)
                for event in story(f"run-x{number}")
                if event.sequence is not None
            ]
            await streams.append_many(events[:6])
            await asyncio.sleep(1 / CHANGES_PER_S)
            await streams.append_many(events[6:])
            number += 1
