"""The publisher of core: batching, order, backpressure and error messages."""

import asyncio

import msgspec
import pytest

from signalbox_core.errors import Unavailable
from signalbox_core.events.envelope import CloudEvent
from signalbox_core.pubsub import PubSubPublisher
from support.fakes.events import story
from support.servers.backends import free_port
from support.servers.pubsub import Local

EVENT = story()[0]


def numbered(n: int, run_id: str = "run-1") -> CloudEvent:
    return msgspec.structs.replace(EVENT, id=f"{run_id}-{n}", runid=run_id, sequence=n)


async def test_concurrent_publishes_of_a_key_keep_the_order_of_the_calls(local: Local) -> None:
    topic = await local.topic("lifecycle")
    subscription = await local.subscription(topic, enable_message_ordering=True)
    async with PubSubPublisher("test", emulator_host=local.host) as publisher:
        calls = [publisher.publish("lifecycle", numbered(n), ordering_key="run-1") for n in range(1, 301)]
        await asyncio.gather(*calls)

    received = await local.pull(subscription, most=1_000)
    assert [each.message.attributes["ce-sequence"] for each in received] == [str(n) for n in range(1, 301)]


async def test_a_large_backlog_is_split_into_requests_within_googles_limits(local: Local) -> None:
    await local.topic("lifecycle")
    big = msgspec.structs.replace(EVENT, data=msgspec.Raw(b'"' + b"x" * 200_000 + b'"'))
    async with PubSubPublisher("test", emulator_host=local.host) as publisher:
        ids = await asyncio.gather(
            *(publisher.publish("lifecycle", big, ordering_key="k") for _ in range(60))
        )

    assert len(set(ids)) == 60


async def test_a_missing_topic_is_reported_with_the_remedy(local: Local) -> None:
    async with PubSubPublisher("test", emulator_host=local.host) as publisher:
        with pytest.raises(
            Unavailable, match="topic missing does not exist: run `signalbox-admin provision`"
        ):
            await publisher.publish("missing", EVENT, ordering_key="k")


async def test_an_unreachable_server_is_unavailable_within_the_timeout() -> None:
    async with PubSubPublisher("test", emulator_host=f"127.0.0.1:{free_port()}", timeout_s=0.5) as publisher:
        with pytest.raises(Unavailable, match="lifecycle"):
            await publisher.publish("lifecycle", EVENT, ordering_key="k")


async def test_messages_queued_behind_a_failed_one_fail_with_it_to_preserve_order() -> None:
    async with PubSubPublisher("test", emulator_host=f"127.0.0.1:{free_port()}", timeout_s=0.5) as publisher:
        calls = (publisher.publish("lifecycle", numbered(n), ordering_key="k") for n in range(5))
        outcomes = await asyncio.gather(*calls, return_exceptions=True)

    assert all(isinstance(outcome, Unavailable) for outcome in outcomes)


async def test_backpressure_a_publish_waits_for_room_within_its_timeout() -> None:
    async with PubSubPublisher(
        "test", emulator_host=f"127.0.0.1:{free_port()}", timeout_s=0.5, max_waiting=1
    ) as publisher:
        calls = (publisher.publish("lifecycle", numbered(n), ordering_key=f"k{n}") for n in range(3))
        outcomes = await asyncio.gather(*calls, return_exceptions=True)

    assert all(isinstance(outcome, Unavailable) for outcome in outcomes)


async def test_what_nobody_waits_for_any_more_is_not_sent_and_keeps_its_place(local: Local) -> None:
    """Its sender sends it again, so the messages behind it wait for that too."""
    topic = await local.topic("lifecycle")
    subscription = await local.subscription(topic, enable_message_ordering=True)
    async with PubSubPublisher("test", emulator_host=local.host) as publisher:

        def publish(n: int) -> asyncio.Task[str]:
            return asyncio.create_task(publisher.publish("lifecycle", numbered(n), ordering_key="run-1"))

        first = publish(1)
        await asyncio.wait([first], timeout=0)  # its request is in flight
        given_up, behind = publish(2), publish(3)
        await asyncio.wait([given_up, behind], timeout=0)
        given_up.cancel()
        assert await first
        with pytest.raises(Unavailable, match="an earlier event"):
            await behind
        await publisher.publish("lifecycle", numbered(2), ordering_key="run-1")
        await publisher.publish("lifecycle", numbered(3), ordering_key="run-1")

    received = await local.pull(subscription)
    assert [each.message.attributes["ce-sequence"] for each in received] == ["1", "2", "3"]


async def test_closing_flushes_queued_messages(local: Local) -> None:
    topic = await local.topic("lifecycle")
    subscription = await local.subscription(topic)
    async with PubSubPublisher("test", emulator_host=local.host) as publisher:
        call = asyncio.create_task(publisher.publish("lifecycle", EVENT, ordering_key="k"))
        await asyncio.wait([call], timeout=0)
        call.cancel()

    assert len(await local.pull(subscription)) == 1
