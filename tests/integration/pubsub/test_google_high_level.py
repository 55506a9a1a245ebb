"""Google's high-level clients against the local server."""

import asyncio
import threading
from collections.abc import Iterator

import pytest
from google.cloud import pubsub_v1  # type: ignore[attr-defined]  # a namespace package without types
from google.cloud.pubsub_v1.subscriber.message import Message

from support.assertions.eventually import eventually
from support.servers.pubsub import Local


@pytest.fixture
def publisher(local: Local, monkeypatch: pytest.MonkeyPatch) -> Iterator[pubsub_v1.PublisherClient]:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", local.host)
    client = pubsub_v1.PublisherClient(
        publisher_options=pubsub_v1.types.PublisherOptions(enable_message_ordering=True)
    )
    yield client
    client.stop()
    client.transport.close()


@pytest.fixture
def subscriber(local: Local, monkeypatch: pytest.MonkeyPatch) -> Iterator[pubsub_v1.SubscriberClient]:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", local.host)
    with pubsub_v1.SubscriberClient() as client:
        yield client


async def test_ordered_messages_arrive_in_order_and_are_acknowledged(
    local: Local, publisher: pubsub_v1.PublisherClient, subscriber: pubsub_v1.SubscriberClient
) -> None:
    topic = await local.topic()
    subscription = await local.subscription(topic, enable_message_ordering=True)
    seen: list[bytes] = []

    def receive(message: Message) -> None:
        seen.append(message.data)
        message.ack()

    pulling = subscriber.subscribe(subscription, callback=receive)
    published = [publisher.publish(topic, b"%d" % n, ordering_key="k") for n in range(50)]
    ids = [await asyncio.to_thread(each.result, 10) for each in published]

    await eventually(lambda: len(seen) >= 50)
    pulling.cancel()
    await asyncio.to_thread(pulling.result, 10)

    assert seen == [b"%d" % n for n in range(50)]
    assert len(set(ids)) == 50
    assert await local.pull_now(subscription) == []


async def test_a_nack_redelivers_the_message(
    local: Local, publisher: pubsub_v1.PublisherClient, subscriber: pubsub_v1.SubscriberClient
) -> None:
    topic = await local.topic()
    subscription = await local.subscription(topic)
    attempts: list[str] = []

    def receive(message: Message) -> None:
        attempts.append(message.message_id)
        message.nack() if len(attempts) == 1 else message.ack()

    pulling = subscriber.subscribe(subscription, callback=receive)
    await asyncio.to_thread(publisher.publish(topic, b"x").result, 10)

    await eventually(lambda: len(attempts) == 2)
    pulling.cancel()
    await asyncio.to_thread(pulling.result, 10)
    assert len(set(attempts)) == 1


async def test_exactly_once_acknowledgements_are_confirmed(
    local: Local, publisher: pubsub_v1.PublisherClient, subscriber: pubsub_v1.SubscriberClient
) -> None:
    topic = await local.topic()
    subscription = await local.subscription(topic, enable_exactly_once_delivery=True)
    results: list[str] = []
    done = threading.Event()

    def receive(message: Message) -> None:
        results.append(message.ack_with_response().result(10).name)
        done.set()

    pulling = subscriber.subscribe(subscription, callback=receive)
    await asyncio.to_thread(publisher.publish(topic, b"x").result, 10)

    assert await asyncio.to_thread(done.wait, 20)
    pulling.cancel()
    await asyncio.to_thread(pulling.result, 10)
    assert results == ["SUCCESS"]
