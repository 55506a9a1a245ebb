"""Topics and subscriptions as resources: names, defaults, changes, lists in pages, deletion, detachment."""

from datetime import timedelta
from typing import Any

import pytest
from google.api_core.exceptions import AlreadyExists, GoogleAPICallError, InvalidArgument, NotFound
from google.pubsub_v1 import types

from support.servers.pubsub import PROJECT, Local, bodies


@pytest.mark.parametrize("name", ["goog-topic", "ab", "1abc", "with space", "a" * 256])
async def test_a_bad_topic_name_is_refused(local: Local, name: str) -> None:
    with pytest.raises(InvalidArgument):
        await local.topic(name)


async def test_a_second_creation_already_exists(local: Local) -> None:
    topic = await local.topic()
    await local.subscription(topic)

    with pytest.raises(AlreadyExists):
        await local.topic()
    with pytest.raises(AlreadyExists):
        await local.subscription(topic)


async def test_a_subscription_of_an_unknown_topic_is_not_found(local: Local) -> None:
    with pytest.raises(NotFound):
        await local.subscription(f"{PROJECT}/topics/missing")


async def test_a_subscription_gets_googles_defaults(local: Local) -> None:
    name = await local.subscription(await local.topic())

    found = await local.subscriber.get_subscription(subscription=name, retry=None)

    assert found.ack_deadline_seconds == 10
    assert found.message_retention_duration == timedelta(days=7)
    assert found.expiration_policy.ttl == timedelta(days=31)
    assert found.state == types.Subscription.State.ACTIVE


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"ack_deadline_seconds": 9}, id="ack deadline"),
        pytest.param(
            {"dead_letter_policy": {"dead_letter_topic": "t", "max_delivery_attempts": 4}}, id="attempts"
        ),
        pytest.param({"retry_policy": {"minimum_backoff": {"seconds": 601}}}, id="backoff"),
        pytest.param({"message_retention_duration": timedelta(days=32)}, id="retention"),
        pytest.param(
            {"enable_exactly_once_delivery": True, "push_config": {"push_endpoint": "http://x/"}},
            id="exactly once push",
        ),
        pytest.param({"filter": "a" * 257}, id="long filter"),
    ],
)
async def test_settings_out_of_range_are_refused(local: Local, settings: dict[str, Any]) -> None:
    topic = await local.topic()
    with pytest.raises(InvalidArgument):
        await local.subscription(topic, **settings)


async def test_an_update_changes_the_named_fields_only(local: Local) -> None:
    name = await local.subscription(await local.topic(), labels={"a": "b"}, ack_deadline_seconds=20)
    wanted = types.Subscription(name=name, ack_deadline_seconds=30)

    changed = await local.subscriber.update_subscription(
        {"subscription": wanted, "update_mask": {"paths": ["ack_deadline_seconds"]}}, retry=None
    )

    assert (changed.ack_deadline_seconds, dict(changed.labels)) == (30, {"a": "b"})


@pytest.mark.parametrize("paths", [[], ["topic"], ["enable_message_ordering"], ["nonsense"]])
async def test_an_update_of_a_fixed_or_unknown_field_is_refused(local: Local, paths: list[str]) -> None:
    name = await local.subscription(await local.topic())
    with pytest.raises(InvalidArgument):
        await local.subscriber.update_subscription(
            {"subscription": {"name": name}, "update_mask": {"paths": paths}}, retry=None
        )


async def test_a_topic_is_changed_and_keeps_the_rest(local: Local) -> None:
    name = await local.topic(labels={"a": "b"})
    change = {
        "topic": {"name": name, "message_retention_duration": "3600s"},
        "update_mask": {"paths": ["message_retention_duration"]},
    }

    changed = await local.publisher.update_topic(change, retry=None)

    assert (changed.message_retention_duration, dict(changed.labels)) == (timedelta(hours=1), {"a": "b"})


async def test_lists_come_in_pages_and_of_one_project_only(local: Local) -> None:
    topics = [await local.topic(f"topic-{n}") for n in range(5)]
    await local.publisher.create_topic(name="projects/other/topics/topic-9", retry=None)
    subscriptions = [await local.subscription(topics[0], f"sub-{n}") for n in range(5)]

    listed = await local.publisher.list_topics({"project": PROJECT, "page_size": 2}, retry=None)
    assert [len(page.topics) async for page in listed.pages] == [2, 2, 1]
    assert [
        t.name
        async for t in await local.publisher.list_topics({"project": PROJECT, "page_size": 2}, retry=None)
    ] == topics
    pager = await local.subscriber.list_subscriptions({"project": PROJECT, "page_size": 2}, retry=None)
    assert [s.name async for s in pager] == subscriptions
    of_topic = await local.publisher.list_topic_subscriptions(
        {"topic": topics[0], "page_size": 3}, retry=None
    )
    assert [name async for name in of_topic] == subscriptions


async def test_a_deleted_topics_subscriptions_still_deliver_what_they_hold(local: Local) -> None:
    topic = await local.topic()
    subscription = await local.subscription(topic)
    await local.publish(topic, b"x")

    await local.publisher.delete_topic(topic=topic, retry=None)

    assert (
        await local.subscriber.get_subscription(subscription=subscription, retry=None)
    ).topic == "_deleted-topic_"
    assert bodies(await local.pull(subscription)) == [b"x"]
    with pytest.raises(NotFound):
        await local.publish(topic, b"y")


async def test_a_detached_subscription_keeps_nothing_and_gets_nothing(local: Local) -> None:
    topic = await local.topic()
    subscription = await local.subscription(topic)
    await local.publish(topic, b"x")

    await local.publisher.detach_subscription({"subscription": subscription}, retry=None)

    assert (await local.subscriber.get_subscription(subscription=subscription, retry=None)).detached
    with pytest.raises(GoogleAPICallError):
        await local.pull(subscription)
