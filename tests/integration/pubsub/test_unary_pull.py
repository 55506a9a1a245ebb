"""Unary pull: waiting for a message, and abandoned pulls."""

import asyncio

import pytest
from google.api_core.exceptions import InvalidArgument

from support.assertions.eventually import eventually
from support.servers.pubsub import Local, bodies


async def test_a_pull_waits_for_the_first_message(local: Local) -> None:
    topic = await local.topic()
    subscription = await local.subscription(topic)
    waiting = asyncio.create_task(local.pull(subscription, timeout_s=20))

    await local.publish(topic, b"x")

    assert bodies(await waiting) == [b"x"]


async def test_a_pull_returns_empty_before_the_callers_deadline(local: Local) -> None:
    subscription = await local.subscription(await local.topic())

    assert await local.pull(subscription, timeout_s=2) == []


async def test_a_pull_of_zero_messages_is_rejected(local: Local) -> None:
    subscription = await local.subscription(await local.topic())
    with pytest.raises(InvalidArgument):
        await local.pull(subscription, most=0)


async def test_an_abandoned_pull_returns_its_messages(local: Local) -> None:
    topic = await local.topic()
    subscription = await local.subscription(topic, enable_message_ordering=True)
    abandoned = [asyncio.create_task(local.pull(subscription, timeout_s=60)) for _ in range(3)]
    await asyncio.wait(abandoned, timeout=0.2)
    for pull in abandoned:
        pull.cancel()
    await asyncio.wait(abandoned)

    await local.publish(topic, b"1", b"2", key="k")
    await local.publish(topic, b"3")

    found: list[bytes] = []

    async def all_came() -> bool:
        # What was meant for an abandoned pull may come back a little later.
        found.extend(bodies(await local.pull_now(subscription)))
        return len(found) >= 3

    await eventually(all_came)
    assert sorted(found) == [b"1", b"2", b"3"]


async def test_a_pull_respects_max_messages(local: Local) -> None:
    topic = await local.topic()
    subscription = await local.subscription(topic)
    await local.publish(topic, *[b"x"] * 5)

    assert len(await local.pull(subscription, most=2)) == 2
