"""Filters select at publish time which subscriptions receive a message."""

import pytest
from google.api_core.exceptions import InvalidArgument
from google.pubsub_v1 import types

from support.servers.pubsub import Local, bodies


async def test_a_subscription_receives_messages_that_match_its_filter(local: Local) -> None:
    topic = await local.topic()
    subscription = await local.subscription(
        topic, filter='attributes.ce-tenantid = "acme" AND NOT hasPrefix(attributes.ce-type, "x.")'
    )

    await local.publish(topic, b"ours", **{"ce-tenantid": "acme", "ce-type": "run.started"})
    await local.publish(topic, b"theirs", **{"ce-tenantid": "other"})
    await local.publish(topic, b"not this", **{"ce-tenantid": "acme", "ce-type": "x.y"})

    assert bodies(await local.pull(subscription)) == [b"ours"]
    assert await local.pull_now(subscription) == []


async def test_an_invalid_filter_is_rejected(local: Local) -> None:
    topic = await local.topic()
    with pytest.raises(InvalidArgument):
        await local.subscription(
            topic, filter='attributes.a = "1" AND attributes.b = "2" OR attributes.c = "3"'
        )


async def test_a_filter_cannot_be_changed(local: Local) -> None:
    subscription = await local.subscription(await local.topic())
    changed = types.Subscription(name=subscription, filter='attributes.a = "1"')
    with pytest.raises(InvalidArgument):
        await local.subscriber.update_subscription(
            {"subscription": changed, "update_mask": {"paths": ["filter"]}}, retry=None
        )
