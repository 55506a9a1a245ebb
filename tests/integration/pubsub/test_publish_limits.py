"""Publish enforces the same limits as Google, with the same statuses."""

import pytest
from google.api_core.exceptions import FailedPrecondition, GoogleAPICallError, InvalidArgument, NotFound
from google.pubsub_v1 import types

from support.servers.pubsub import PROJECT, Local


def message(data: bytes = b"x", key: str = "", **attributes: str) -> types.PubsubMessage:
    return types.PubsubMessage(data=data, ordering_key=key, attributes=attributes)


@pytest.mark.parametrize(
    ("messages", "refusal"),
    [
        pytest.param([message(key="a"), message(key="b")], FailedPrecondition, id="two keys"),
        pytest.param([message(key="a"), message()], FailedPrecondition, id="key and no key"),
        pytest.param([], InvalidArgument, id="no message"),
        pytest.param([message(b"")], InvalidArgument, id="empty message"),
        pytest.param([message()] * 1001, InvalidArgument, id="more than 1000"),
        pytest.param([message(google="x")], InvalidArgument, id="goog attribute"),
        pytest.param([message(long="v" * 1025)], InvalidArgument, id="long value"),
        pytest.param([message(**{"n" * 257: "v"})], InvalidArgument, id="long attribute name"),
        pytest.param([message(key="k" * 1025)], InvalidArgument, id="long ordering key"),
        pytest.param([message(**{f"a{n}": "v" for n in range(101)})], InvalidArgument, id="101 attributes"),
        pytest.param([message(b"x" * 10_000_001)], InvalidArgument, id="over 10 MB"),
    ],
)
async def test_a_request_beyond_the_limits_is_rejected(
    local: Local, messages: list[types.PubsubMessage], refusal: type[GoogleAPICallError]
) -> None:
    topic = await local.topic()

    with pytest.raises(refusal):
        await local.publisher.publish(topic=topic, messages=messages, retry=None)


async def test_a_request_at_the_limits_is_accepted(local: Local) -> None:
    topic = await local.topic()
    largest = message(b"x" * 9_900_000, key="k" * 1024, **{"n" * 256: "v" * 1024})

    await local.publisher.publish(topic=topic, messages=[largest], retry=None)
    await local.publisher.publish(topic=topic, messages=[message(b"", only="attributes")], retry=None)
    response = await local.publisher.publish(topic=topic, messages=[message()] * 1000, retry=None)

    assert len(set(response.message_ids)) == 1000


async def test_an_unknown_topic_is_not_found(local: Local) -> None:
    with pytest.raises(NotFound):
        await local.publish(f"{PROJECT}/topics/missing", b"x")
