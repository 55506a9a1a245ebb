"""Ordering keys: order, stream affinity, rewinding after failures, and backoff."""

from typing import Any

from google.pubsub_v1 import types

from support.assertions.eventually import eventually
from support.servers.pubsub import Local, bodies


async def ready(local: Local, **settings: Any) -> tuple[str, str]:
    topic = await local.topic()
    return topic, await local.subscription(topic, enable_message_ordering=True, **settings)


async def test_many_messages_of_a_key_are_in_flight_in_order(local: Local) -> None:
    topic, subscription = await ready(local)
    for n in range(20):
        await local.publish(topic, b"%d" % n, key="k")

    assert bodies(await local.pull(subscription)) == [b"%d" % n for n in range(20)]


async def test_a_key_stays_with_one_stream_while_it_has_outstanding_messages(local: Local) -> None:
    topic, subscription = await ready(local)
    async with local.stream(subscription, protocol_version=1) as owner:
        await local.publish(topic, b"1", key="k")
        (first,) = await owner.messages(1)
        async with local.stream(subscription, protocol_version=1) as other:
            other.send()
            await other.response()
            await local.publish(topic, b"2", key="k")
            await local.publish(topic, b"elsewhere", key="other")
            assert bodies(await owner.messages(1)) == [b"2"] or bodies(await other.messages(1)) == [
                b"elsewhere"
            ]
            other.send()
            assert b"2" not in bodies((await other.response()).received_messages)
        owner.ack(first)


async def test_a_nack_rewinds_the_key_including_later_acknowledged_messages(local: Local) -> None:
    topic, subscription = await ready(local)
    await local.publish(topic, b"1", b"2", b"3", key="k")
    one, two, three = await local.pull(subscription)

    await local.ack(subscription, [three])
    await local.nack(subscription, [two])
    await local.ack(subscription, [one])

    assert bodies(await local.pull(subscription)) == [b"2", b"3"]


async def test_an_expired_lease_rewinds_the_key(local: Local) -> None:
    topic, subscription = await ready(local)
    await local.publish(topic, b"1", b"2", key="k")
    one, two = await local.pull(subscription)
    await local.ack(subscription, [two])
    request = {"subscription": subscription, "ack_ids": [one.ack_id], "ack_deadline_seconds": 1}
    await local.subscriber.modify_ack_deadline(request, retry=None)

    assert bodies(await eventually(lambda: local.pull_now(subscription))) == [b"1", b"2"]


async def test_an_acknowledged_message_waits_for_earlier_ones_without_a_lease(local: Local) -> None:
    topic, subscription = await ready(local)
    await local.publish(topic, b"1", b"2", key="k")
    one, two = await local.pull(subscription)
    short = {"subscription": subscription, "ack_ids": [two.ack_id], "ack_deadline_seconds": 1}
    await local.subscriber.modify_ack_deadline(short, retry=None)
    await local.ack(subscription, [two])
    await local.publish(topic, b"timer", key="t")
    (timer,) = await local.pull(subscription)
    await local.subscriber.modify_ack_deadline({**short, "ack_ids": [timer.ack_id]}, retry=None)
    assert bodies(await eventually(lambda: local.pull_now(subscription))) == [
        b"timer"
    ]  # its lease ended, so would that of `two`

    await local.ack(subscription, [one])
    assert await local.pull_now(subscription) == []


async def test_a_failure_of_one_key_does_not_affect_other_keys(local: Local) -> None:
    topic, subscription = await ready(local, retry_policy=types.RetryPolicy(minimum_backoff={"seconds": 600}))
    await local.publish(topic, b"a1", b"a2", key="a")
    received = await local.pull(subscription)
    await local.nack(subscription, received[:1])
    await local.publish(topic, b"b1", key="b")
    await local.publish(topic, b"a3", key="a")

    assert bodies(await local.pull(subscription)) == [b"b1"]
    assert await local.pull_now(subscription) == []


async def test_a_backoff_blocks_the_key_and_keeps_its_order(local: Local) -> None:
    backoff = types.RetryPolicy(minimum_backoff={"nanos": 300_000_000}, maximum_backoff={"seconds": 1})
    topic, subscription = await ready(local, retry_policy=backoff)
    await local.publish(topic, b"1", b"2", key="k")
    await local.nack(subscription, (await local.pull(subscription))[:1])
    assert await local.pull_now(subscription) == []

    assert bodies(await local.pull(subscription)) == [b"1", b"2"]


async def test_ordering_keys_are_ignored_unless_ordering_is_enabled(local: Local) -> None:
    topic = await local.topic()
    subscription = await local.subscription(topic)
    await local.publish(topic, b"1", b"2", key="k")
    received = await local.pull(subscription)
    await local.nack(subscription, received[:1])

    assert bodies(await local.pull(subscription)) == [b"1"]


async def test_a_key_moves_to_another_stream_after_its_owner_ended_and_all_is_settled(local: Local) -> None:
    topic, subscription = await ready(local)
    await local.publish(topic, b"1", key="k")
    async with local.stream(subscription) as stream:
        held = await stream.messages(1)
    await local.publish(topic, b"2", key="k")
    assert await local.pull_now(subscription) == []

    await local.ack(subscription, held)
    assert bodies(await local.pull(subscription)) == [b"2"]
