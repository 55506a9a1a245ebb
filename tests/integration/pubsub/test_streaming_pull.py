"""StreamingPull: requests, flow control, keepalive, late acknowledgements, and how streams end."""

from pathlib import Path

import pytest
from google.api_core.exceptions import FailedPrecondition, InvalidArgument, NotFound, ServiceUnavailable

from signalbox_devstack.emulators.pubsub.server import run_server
from support.assertions.eventually import eventually
from support.servers.pubsub import PROJECT, Local, bodies


async def test_acknowledged_messages_are_not_redelivered(local: Local) -> None:
    topic = await local.topic()
    subscription = await local.subscription(topic)
    async with local.stream(subscription) as stream:
        await local.publish(topic, b"1", b"2")
        received = await stream.messages(2)
        stream.ack(*received)
        await local.publish(topic, b"3")
        assert bodies(await stream.messages(1)) == [b"3"]

    assert bodies(received) == [b"1", b"2"]
    assert await local.pull_now(subscription) == []


async def test_every_response_carries_the_subscriptions_properties(local: Local) -> None:
    topic = await local.topic()
    subscription = await local.subscription(
        topic, enable_message_ordering=True, enable_exactly_once_delivery=True
    )
    async with local.stream(subscription, protocol_version=1) as stream:
        stream.send()
        pong = await stream.response()
        await local.publish(topic, b"1", key="k")
        delivery = await stream.response()

    for response in (pong, delivery):
        assert response.subscription_properties.message_ordering_enabled
        assert response.subscription_properties.exactly_once_delivery_enabled


async def test_an_empty_request_is_answered_with_a_pong(local: Local) -> None:
    subscription = await local.subscription(await local.topic())
    async with local.stream(subscription, protocol_version=1) as stream:
        stream.send()
        assert not (await stream.response()).received_messages


async def test_a_client_without_the_protocol_version_gets_no_pong(local: Local) -> None:
    topic = await local.topic()
    subscription = await local.subscription(topic)
    async with local.stream(subscription) as stream:
        stream.send()
        await local.publish(topic, b"1")
        assert bodies((await stream.response()).received_messages) == [b"1"]


async def test_a_subscription_in_a_later_request_is_rejected(local: Local) -> None:
    subscription = await local.subscription(await local.topic())
    async with local.stream(subscription) as stream:
        stream.send(subscription=subscription)
        with pytest.raises(InvalidArgument):
            await stream.response()


@pytest.mark.parametrize("seconds", [0, 9, 601])
async def test_an_ack_deadline_out_of_range_is_rejected(local: Local, seconds: int) -> None:
    subscription = await local.subscription(await local.topic())
    async with local.stream(subscription, stream_ack_deadline_seconds=seconds) as stream:
        with pytest.raises(InvalidArgument):
            await stream.response()


async def test_deadline_lists_of_different_length_are_rejected(local: Local) -> None:
    subscription = await local.subscription(await local.topic())
    async with local.stream(subscription) as stream:
        stream.send(modify_deadline_ack_ids=["1-1-1"], modify_deadline_seconds=[])
        with pytest.raises(InvalidArgument):
            await stream.response()


@pytest.mark.parametrize(
    "limit", [{"max_outstanding_messages": 2}, {"max_outstanding_bytes": 150}], ids=["messages", "bytes"]
)
async def test_flow_control_withholds_messages_until_some_are_settled(
    local: Local, limit: dict[str, int]
) -> None:
    topic = await local.topic()
    subscription = await local.subscription(topic)
    await local.publish(topic, *[b"x" * 80] * 5)
    async with local.stream(subscription, **limit, protocol_version=1) as stream:
        first = await stream.messages(2)
        stream.send()
        assert not (await stream.response()).received_messages  # a pong, though three wait
        stream.ack(*first)
        assert len(await stream.messages(2)) == 2


async def test_responses_stay_below_the_receive_limit_of_clients(local: Local) -> None:
    topic = await local.topic()
    subscription = await local.subscription(topic)
    for _ in range(6):
        await local.publish(topic, b"x" * 1_000_000)
    async with local.stream(subscription) as stream:
        sizes = [len((await stream.response()).received_messages) for _ in range(2)]
    assert sizes == [3, 3]


async def test_an_expired_lease_redelivers_and_an_extended_one_does_not(local: Local) -> None:
    topic = await local.topic()
    subscription = await local.subscription(topic)
    await local.publish(topic, b"kept")
    await local.publish(topic, b"lost")
    async with local.stream(subscription) as stream:
        kept, lost = await stream.messages(2)
        stream.send(modify_deadline_ack_ids=[kept.ack_id, lost.ack_id], modify_deadline_seconds=[600, 1])
        again = await stream.messages(1)

    assert bodies(again) == [b"lost"]
    assert again[0].ack_id != lost.ack_id


async def test_a_late_acknowledgement_is_accepted(local: Local) -> None:
    topic = await local.topic()
    subscription = await local.subscription(topic)
    await local.publish(topic, b"x")
    (early,) = await local.pull(subscription)
    await local.nack(subscription, [early])
    (again,) = await local.pull(subscription)
    await local.ack(subscription, [early])

    await local.nack(subscription, [again])
    assert await local.pull_now(subscription) == []


async def test_the_stream_deadline_can_be_changed_later(local: Local) -> None:
    topic = await local.topic()
    subscription = await local.subscription(topic)
    async with local.stream(subscription) as stream:
        stream.send(stream_ack_deadline_seconds=5)
        with pytest.raises(InvalidArgument):
            await stream.response()
    async with local.stream(subscription, protocol_version=1) as stream:
        stream.send(stream_ack_deadline_seconds=600)
        assert await stream.response() is not None


async def test_a_stream_is_closed_with_unavailable_after_its_maximum_age(tmp_path: Path) -> None:
    async with run_server(host="127.0.0.1", port=0, data=tmp_path / "pubsub.db", stream_s=0.3) as running:
        local = Local(f"127.0.0.1:{running.port}")
        subscription = await local.subscription(await local.topic())
        async with local.stream(subscription) as stream:
            with pytest.raises(ServiceUnavailable):
                await stream.response()
        await local.close()


async def test_a_stream_on_an_unknown_subscription_is_not_found(local: Local) -> None:
    async with local.stream(f"{PROJECT}/subscriptions/missing") as stream:
        with pytest.raises(NotFound):
            await stream.response()


async def test_deleting_the_subscription_ends_its_streams_with_not_found(local: Local) -> None:
    subscription = await local.subscription(await local.topic())
    async with local.stream(subscription, protocol_version=1) as stream:
        stream.send()
        await stream.response()
        await local.subscriber.delete_subscription(subscription=subscription, retry=None)
        with pytest.raises(NotFound):
            await stream.response()


async def test_detaching_the_subscription_ends_its_streams_with_failed_precondition(local: Local) -> None:
    subscription = await local.subscription(await local.topic())
    async with local.stream(subscription, protocol_version=1) as stream:
        stream.send()
        await stream.response()
        await local.publisher.detach_subscription({"subscription": subscription}, retry=None)
        with pytest.raises(FailedPrecondition):
            await stream.response()


async def test_a_push_subscription_rejects_streams_and_pulls(local: Local) -> None:
    subscription = await local.subscription(
        await local.topic(), push_config={"push_endpoint": "http://127.0.0.1:9/"}
    )
    async with local.stream(subscription) as stream:
        with pytest.raises(FailedPrecondition):
            await stream.response()
    with pytest.raises(FailedPrecondition):
        await local.pull(subscription)


async def test_two_streams_share_the_messages(local: Local) -> None:
    topic = await local.topic()
    subscription = await local.subscription(topic)
    seen: dict[str, int] = {"a": 0, "b": 0}
    async with (
        local.stream(subscription, max_outstanding_messages=1) as a,
        local.stream(subscription, max_outstanding_messages=1) as b,
    ):
        await local.publish(topic, *[b"x"] * 2)
        for name, stream in (("a", a), ("b", b)):
            seen[name] += len(await stream.messages(1))
    assert seen == {"a": 1, "b": 1}


async def test_messages_of_a_lost_stream_are_redelivered_when_their_lease_ends(local: Local) -> None:
    topic = await local.topic()
    subscription = await local.subscription(topic)
    await local.publish(topic, b"x")
    async with local.stream(subscription) as stream:
        (received,) = await stream.messages(1)
    assert await local.pull_now(subscription) == []
    request = {"subscription": subscription, "ack_ids": [received.ack_id], "ack_deadline_seconds": 1}
    await local.subscriber.modify_ack_deadline(request, retry=None)

    assert await eventually(lambda: local.pull_now(subscription))
