"""Exactly-once delivery: confirmations on the stream, refused ack ids by name, acks in the file."""

import grpc
import pytest
from google.api_core.exceptions import InvalidArgument
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]

from support.servers.pubsub import Local, bodies


async def ready(local: Local) -> tuple[str, str]:
    topic = await local.topic()
    return topic, await local.subscription(topic, enable_exactly_once_delivery=True)


async def test_the_stream_confirms_acknowledgements_and_refuses_invalid_ones(local: Local) -> None:
    topic, subscription = await ready(local)
    await local.publish(topic, b"x")
    async with local.stream(subscription) as stream:
        (received,) = await stream.messages(1)
        stream.send(ack_ids=[received.ack_id, "1-999-1"])
        confirmed = (await stream.response()).acknowledge_confirmation

    assert list(confirmed.ack_ids) == [received.ack_id]
    assert list(confirmed.invalid_ack_ids) == ["1-999-1"]


async def test_the_stream_confirms_lease_changes(local: Local) -> None:
    topic, subscription = await ready(local)
    await local.publish(topic, b"x")
    async with local.stream(subscription) as stream:
        (received,) = await stream.messages(1)
        stream.send(modify_deadline_ack_ids=[received.ack_id, "1-999-1"], modify_deadline_seconds=[20, 20])
        confirmed = (await stream.response()).modify_ack_deadline_confirmation

    assert list(confirmed.ack_ids) == [received.ack_id]
    assert list(confirmed.invalid_ack_ids) == ["1-999-1"]


async def test_a_late_acknowledgement_is_refused_by_id(local: Local) -> None:
    topic, subscription = await ready(local)
    await local.publish(topic, b"x")
    early = await local.pull(subscription)
    await local.nack(subscription, early)
    await local.pull(subscription)

    with pytest.raises(InvalidArgument) as refused:
        await local.ack(subscription, early)

    (call,) = refused.value.errors
    assert isinstance(call, grpc.aio.AioRpcError)
    trailers = {name: value for name, value in call.trailing_metadata() or ()}
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert dict(info.metadata) == {early[0].ack_id: "PERMANENT_FAILURE_INVALID_ACK_ID"}


async def test_a_repeated_acknowledgement_succeeds_and_the_message_stays_acknowledged(local: Local) -> None:
    topic, subscription = await ready(local)
    await local.publish(topic, b"first")
    received = await local.pull(subscription)

    await local.ack(subscription, received)
    await local.ack(subscription, received)
    # A lease that was still held could be given up, and the message would come again before the next one.
    with pytest.raises(InvalidArgument):
        await local.nack(subscription, received)
    await local.publish(topic, b"second")

    assert bodies(await local.pull(subscription)) == [b"second"]


async def test_without_exactly_once_an_unknown_id_is_ignored_next_to_a_valid_one(local: Local) -> None:
    topic = await local.topic()
    subscription = await local.subscription(topic)
    await local.publish(topic, b"first")
    (received,) = await local.pull(subscription)

    ids = [received.ack_id, "1-999-1"]
    await local.subscriber.acknowledge(subscription=subscription, ack_ids=ids, retry=None)
    await local.nack(subscription, [received])
    await local.publish(topic, b"second")

    assert bodies(await local.pull(subscription)) == [b"second"]


async def test_without_exactly_once_a_malformed_id_is_refused(local: Local) -> None:
    topic = await local.topic()
    subscription = await local.subscription(topic)

    with pytest.raises(InvalidArgument):
        await local.subscriber.acknowledge(subscription=subscription, ack_ids=["nonsense"], retry=None)
