"""Seeking to a time or a snapshot, and retention."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from google.api_core.exceptions import InvalidArgument, NotFound

from signalbox_devstack.emulators.pubsub.server import run_server
from support.assertions.eventually import eventually
from support.servers.pubsub import PROJECT, Local, bodies

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


async def settle_all(local: Local, subscription: str) -> list[bytes]:
    received = await local.pull(subscription)
    await local.ack(subscription, received)
    return bodies(received)


async def test_seek_to_the_past_redelivers_messages_retained_by_the_subscription(local: Local) -> None:
    topic = await local.topic()
    subscription = await local.subscription(topic, retain_acked_messages=True)
    await local.publish(topic, b"1", b"2")
    await settle_all(local, subscription)

    await local.subscriber.seek({"subscription": subscription, "time": LONG_AGO}, retry=None)

    assert await settle_all(local, subscription) == [b"1", b"2"]


async def test_seek_to_the_past_redelivers_messages_retained_by_the_topic(
    local: Local,
) -> None:
    topic = await local.topic(message_retention_duration=HOUR)
    await local.publish(topic, b"before")
    subscription = await local.subscription(topic)

    await local.subscriber.seek({"subscription": subscription, "time": LONG_AGO}, retry=None)

    assert await settle_all(local, subscription) == [b"before"]


async def test_seek_to_the_future_acknowledges_everything(local: Local) -> None:
    topic = await local.topic()
    subscription = await local.subscription(topic)
    await local.publish(topic, b"1")

    await local.subscriber.seek({"subscription": subscription, "time": datetime.now(UTC) + HOUR}, retry=None)

    assert await local.pull_now(subscription) == []


async def test_without_retention_seek_does_not_redeliver_acknowledged_messages(local: Local) -> None:
    topic = await local.topic()
    subscription = await local.subscription(topic)
    await local.publish(topic, b"1")
    await settle_all(local, subscription)

    await local.subscriber.seek({"subscription": subscription, "time": LONG_AGO}, retry=None)

    assert await local.pull_now(subscription) == []


async def test_a_snapshot_retains_messages_that_are_acknowledged_later(local: Local) -> None:
    topic = await local.topic()
    subscription = await local.subscription(topic)
    await local.publish(topic, b"acknowledged before")
    await settle_all(local, subscription)
    await local.publish(topic, b"in the snapshot")
    snapshot = f"{PROJECT}/snapshots/snap"
    await local.subscriber.create_snapshot({"name": snapshot, "subscription": subscription}, retry=None)
    await local.publish(topic, b"after it")
    await settle_all(local, subscription)

    await local.subscriber.seek({"subscription": subscription, "snapshot": snapshot}, retry=None)

    assert await settle_all(local, subscription) == [b"in the snapshot", b"after it"]


async def test_a_seek_survives_a_restart(tmp_path: Path) -> None:
    subscription = ""
    for start in range(2):
        async with run_server(host="127.0.0.1", port=0, data=tmp_path / "pubsub.db") as running:
            local = Local(f"127.0.0.1:{running.port}")
            if start == 0:
                topic = await local.topic()
                subscription = await local.subscription(topic, retain_acked_messages=True)
                await local.publish(topic, b"1")
                await settle_all(local, subscription)
                await local.subscriber.seek({"subscription": subscription, "time": LONG_AGO}, retry=None)
            else:
                assert await settle_all(local, subscription) == [b"1"]
            await local.close()


async def test_snapshots_are_listed_changed_and_deleted(local: Local) -> None:
    topic = await local.topic()
    subscription = await local.subscription(topic)
    name = f"{PROJECT}/snapshots/snap"
    await local.subscriber.create_snapshot(
        {"name": name, "subscription": subscription, "labels": {"a": "b"}}, retry=None
    )

    change = {"snapshot": {"name": name, "labels": {"c": "d"}}, "update_mask": {"paths": ["labels"]}}
    assert dict((await local.subscriber.update_snapshot(change, retry=None)).labels) == {"c": "d"}
    assert [
        each.name async for each in await local.subscriber.list_snapshots(project=PROJECT, retry=None)
    ] == [name]
    assert [each async for each in await local.publisher.list_topic_snapshots(topic=topic, retry=None)] == [
        name
    ]

    await local.subscriber.delete_snapshot(snapshot=name, retry=None)
    with pytest.raises(NotFound):
        await local.subscriber.get_snapshot(snapshot=name, retry=None)
    with pytest.raises(NotFound):
        await local.subscriber.seek({"subscription": subscription, "snapshot": name}, retry=None)


async def test_a_seek_without_target_is_rejected(local: Local) -> None:
    subscription = await local.subscription(await local.topic())
    with pytest.raises(InvalidArgument):
        await local.subscriber.seek({"subscription": subscription}, retry=None)


async def test_subscription_retention_drops_unacknowledged_messages(local: Local) -> None:
    topic = await local.topic()
    short = await local.subscription(topic, "short", message_retention_duration=timedelta(seconds=1))
    usual = await local.subscription(topic, "usual")
    await local.publish(topic, b"x")

    async def is_dropped() -> bool:
        await local.nack(short, found := await local.pull_now(short))
        return not found

    await eventually(is_dropped)
    assert bodies(await local.pull(usual)) == [b"x"]


async def test_topic_retention_bounds_what_seek_can_redeliver(local: Local) -> None:
    topic = await local.topic(message_retention_duration=timedelta(seconds=1))
    await local.publish(topic, b"x")
    subscription = await local.subscription(topic)

    async def is_gone() -> bool:
        await local.subscriber.seek({"subscription": subscription, "time": LONG_AGO}, retry=None)
        found = await local.pull_now(subscription)
        await local.subscriber.seek(
            {"subscription": subscription, "time": datetime.now(UTC) + HOUR}, retry=None
        )
        return not found

    await eventually(is_gone, every_s=0.5)
