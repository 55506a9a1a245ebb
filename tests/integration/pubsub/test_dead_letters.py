"""Dead letters: counted attempts, forwarding with attributes, and the effect on ordering keys."""

from typing import Any

from google.pubsub_v1 import types

from support.servers.pubsub import PROJECT, Local, bodies


async def ready(local: Local, **settings: Any) -> tuple[str, str, str]:
    topic, dead = await local.topic(), await local.topic("dead")
    policy = types.DeadLetterPolicy(dead_letter_topic=dead, max_delivery_attempts=5)
    subscription = await local.subscription(topic, dead_letter_policy=policy, **settings)
    return topic, subscription, await local.subscription(dead, "hold")


async def fail_five_times(local: Local, subscription: str) -> list[int]:
    attempts = []
    for _ in range(5):
        received = await local.pull(subscription, most=1)
        attempts.append(received[0].delivery_attempt)
        await local.nack(subscription, received)
    return attempts


async def test_attempts_are_counted_and_the_last_failure_moves_the_message(local: Local) -> None:
    topic, subscription, hold = await ready(local)
    await local.publish(topic, b"poison", **{"ce-id": "a"})

    assert await fail_five_times(local, subscription) == [1, 2, 3, 4, 5]

    (held,) = await local.pull(hold)
    attributes = dict(held.message.attributes)
    assert held.message.data == b"poison"
    assert attributes.pop("CloudPubSubDeadLetterSourceTopicPublishTime").endswith("Z")
    assert attributes == {
        "ce-id": "a",
        "CloudPubSubDeadLetterSourceDeliveryCount": "5",
        "CloudPubSubDeadLetterSourceSubscription": "sub",
        "CloudPubSubDeadLetterSourceSubscriptionProject": PROJECT.removeprefix("projects/"),
    }
    assert await local.pull_now(subscription) == []


async def test_without_a_dead_letter_policy_attempts_are_not_counted(local: Local) -> None:
    topic = await local.topic()
    subscription = await local.subscription(topic)
    await local.publish(topic, b"x")

    (received,) = await local.pull(subscription)

    assert received.delivery_attempt == 0


async def test_dead_lettering_frees_the_key_and_keeps_it_on_the_dead_letter(local: Local) -> None:
    topic, subscription, hold = await ready(local, enable_message_ordering=True)
    await local.publish(topic, b"poison", b"next", key="k")

    await fail_five_times(local, subscription)

    (next_one,) = await local.pull(subscription)
    assert (next_one.message.data, next_one.delivery_attempt) == (b"next", 1)
    assert (await local.pull(hold))[0].message.ordering_key == "k"


async def test_a_missing_dead_letter_topic_keeps_the_message(local: Local) -> None:
    topic, subscription, _ = await ready(local)
    await local.publisher.delete_topic(topic=f"{PROJECT}/topics/dead", retry=None)
    await local.publish(topic, b"poison")

    await fail_five_times(local, subscription)

    assert bodies(await local.pull(subscription)) == [b"poison"]
