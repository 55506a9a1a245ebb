"""The store of run streams and its fake, which pass the same tests."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from signalbox_core.streams import RedisRunStream, RunStream
from signalbox_core.testing.streams import FakeRunStream


@pytest.fixture(params=["real", "fake"])
async def streams(request: pytest.FixtureRequest, redis_url: str) -> AsyncIterator[RunStream]:
    if request.param == "fake":
        yield FakeRunStream()
        return
    async with Redis.from_url(redis_url) as client:
        await client.flushall()
        yield RedisRunStream(client)
