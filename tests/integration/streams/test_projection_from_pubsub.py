"""Events that only Pub/Sub has reach the stream in order, even when Redis fails meanwhile."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from signalbox_core import topology
from signalbox_core.pubsub import PubSubPublisher, Received, Subscriber
from signalbox_core.pubsub.connections import disconnect, subscriber_client
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
    return [frame.sequence for frame in (await streams.read("acme:run-1", None)).frames] == list(range(1, 10))


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


@pytest.mark.parametrize(
    "numbers",
    [
        pytest.param({"sequence": 10**30}, id="sequence beyond 64 bits"),
        pytest.param({"sequence": 2**63}, id="sequence beyond signed 64 bits"),
        pytest.param({"sequence": 2**53}, id="sequence beyond 53 bits"),
        pytest.param({"sequence": 2, "attempt": 10**30}, id="attempt beyond 64 bits"),
    ],
)
async def test_a_number_out_of_range_does_not_block_its_ordering_key(
    publisher: PubSubPublisher, redis_url: str, pubsub_host: str, numbers: dict[str, int]
) -> None:
    async with Redis.from_url(redis_url) as client:
        await client.flushall()
        streams = RedisRunStream(client)
        async with projecting(streams, pubsub_host):
            poison = replace(MILESTONES[1], id="poison", **numbers)
            for event in (MILESTONES[0], poison, *MILESTONES[1:]):
                await publisher.publish(topology.LIFECYCLE, event, ordering_key=event.runid)
            await eventually(lambda: has_all(streams))


async def test_a_message_that_always_fails_is_dead_lettered_and_the_next_of_its_key_goes_on(
    publisher: PubSubPublisher, pubsub_host: str
) -> None:
    name = "limited"
    limited = replace(
        topology.SUBSCRIPTIONS[0],
        name=name,
        max_attempts=5,
        backoff=(timedelta(milliseconds=10), timedelta(milliseconds=20)),
    )
    subscriber = subscriber_client(pubsub_host)
    await subscriber.create_subscription(topology.subscription_of("streams", limited))
    handled: list[int | None] = []

    async def handle(received: Received) -> None:
        if received.event.id == "poison":
            raise OverflowError("a bug that this event meets each time")
        handled.append(received.event.sequence)

    async with beside(Subscriber("streams", name, emulator_host=pubsub_host).run(handle)):
        for event in (replace(MILESTONES[0], id="poison"), *MILESTONES[:2]):
            await publisher.publish(topology.LIFECYCLE, event, ordering_key="key-of-poison")
        await eventually(lambda: handled == [1, 2], within_s=30)
    await disconnect(subscriber)
