"""Events that only Pub/Sub has reach the stream in order, even when Redis fails meanwhile."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis

from signalbox_core import topology
from signalbox_core.pubsub import PubSubPublisher, Subscriber
from signalbox_core.streams import RedisRunStream
from signalbox_gateway.background.projector import Projector
from support.assertions.eventually import beside, eventually
from support.fakes.events import story
from support.servers.streams import own_redis

MILESTONES = [event for event in story() if event.sequence is not None]


@pytest.fixture
async def publisher(pubsub_host: str) -> AsyncIterator[PubSubPublisher]:
    await topology.provision_pubsub("streams", emulator_host=pubsub_host)
    async with PubSubPublisher("streams", emulator_host=pubsub_host) as publisher:
        yield publisher


@asynccontextmanager
async def projecting(streams: RedisRunStream, pubsub_host: str) -> AsyncIterator[None]:
    async with beside(
        Projector(Subscriber("streams", topology.PROJECTOR, emulator_host=pubsub_host), streams).run()
    ):
        yield


async def has_all(streams: RedisRunStream) -> bool:
    return [frame.sequence for frame in (await streams.read("run-1", None)).frames] == list(range(1, 10))


async def test_events_that_the_receiver_did_not_append_are_appended(
    publisher: PubSubPublisher, redis_url: str, pubsub_host: str
) -> None:
    async with Redis.from_url(redis_url) as client:
        await client.flushall()
        streams = RedisRunStream(client)
        async with projecting(streams, pubsub_host):
            for event in MILESTONES:
                await publisher.publish(topology.LIFECYCLE, event, ordering_key=event.runid)
            await eventually(lambda: has_all(streams))


async def test_events_wait_for_a_redis_that_is_down(
    publisher: PubSubPublisher, pubsub_host: str, tmp_path: Path
) -> None:
    async with own_redis(tmp_path) as server, Redis.from_url(server.url) as client:
        streams = RedisRunStream(client)
        server.kill()
        async with projecting(streams, pubsub_host):
            for event in MILESTONES:
                await publisher.publish(topology.LIFECYCLE, event, ordering_key=event.runid)
            server.start()
            await server.ready()
            await eventually(lambda: has_all(streams), within_s=60, every_s=0.2)
