"""Push delivery to a real HTTP endpoint, wrapped and unwrapped, with redelivery."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator

import pytest
from google.pubsub_v1 import types

from support.assertions.eventually import eventually
from support.servers.pubsub import Local


class PushEndpoint:
    """Answers each request with the next of `statuses`, then 204, and keeps what came."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.url = ""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = {
            name.lower(): value
            for name, _, value in (line.partition(": ") for line in head.split("\r\n")[1:] if line)
        }
        self.requests.append((headers, await reader.readexactly(int(headers["content-length"]))))
        status = self.statuses.pop(0) if self.statuses else 204
        writer.write(b"HTTP/1.1 %d X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" % status)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    def bodies(self) -> list[bytes]:
        return [base64.b64decode(json.loads(body)["message"]["data"]) for _, body in self.requests]


@pytest.fixture
async def endpoint() -> AsyncIterator[PushEndpoint]:
    endpoint = PushEndpoint()
    server = await asyncio.start_server(endpoint.answer, "127.0.0.1", 0)
    endpoint.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/push"
    yield endpoint
    server.close()
    await server.wait_closed()


async def test_a_message_is_posted_in_googles_wrapper(local: Local, endpoint: PushEndpoint) -> None:
    topic = await local.topic()
    subscription = await local.subscription(topic, push_config={"push_endpoint": endpoint.url})
    (message_id,) = await local.publish(topic, b"hello", key="k", **{"ce-id": "a"})

    await eventually(lambda: endpoint.requests)

    wrapper = json.loads(endpoint.requests[0][1])
    assert wrapper["subscription"] == subscription
    message = wrapper["message"]
    assert (base64.b64decode(message["data"]), message["messageId"], message["orderingKey"]) == (
        b"hello",
        message_id,
        "k",
    )
    assert message["attributes"] == {"ce-id": "a"}


async def test_without_wrapper_the_body_is_the_data_and_metadata_are_headers(
    local: Local, endpoint: PushEndpoint
) -> None:
    topic = await local.topic()
    config = {"push_endpoint": endpoint.url, "no_wrapper": {"write_metadata": True}}
    subscription = await local.subscription(topic, push_config=config)
    (message_id,) = await local.publish(topic, b"hello", **{"ce-id": "a"})

    await eventually(lambda: endpoint.requests)

    headers, body = endpoint.requests[0]
    assert body == b"hello"
    assert headers["x-goog-pubsub-message-id"] == message_id
    assert headers["x-goog-pubsub-subscription-name"] == subscription
    assert headers["ce-id"] == "a"


async def test_a_rejected_push_is_redelivered_and_an_accepted_one_is_not(
    local: Local, endpoint: PushEndpoint
) -> None:
    endpoint.statuses = [500, 429]
    topic = await local.topic()
    await local.subscription(topic, push_config={"push_endpoint": endpoint.url})
    await local.publish(topic, b"first")
    await eventually(lambda: len(endpoint.requests) == 3)

    await local.publish(topic, b"second")
    await eventually(lambda: len(endpoint.requests) == 4)

    assert endpoint.bodies() == [b"first"] * 3 + [b"second"]


async def test_a_key_is_pushed_one_at_a_time_in_order(local: Local, endpoint: PushEndpoint) -> None:
    endpoint.statuses = [500]
    topic = await local.topic()
    await local.subscription(topic, push_config={"push_endpoint": endpoint.url}, enable_message_ordering=True)
    await local.publish(topic, b"1", b"2", b"3", key="k")

    await eventually(lambda: len(endpoint.requests) == 4)

    assert endpoint.bodies() == [b"1", b"1", b"2", b"3"]


async def test_a_pull_subscription_becomes_a_push_subscription_and_back(
    local: Local, endpoint: PushEndpoint
) -> None:
    topic = await local.topic()
    subscription = await local.subscription(topic)
    await local.publish(topic, b"x")

    to_push = types.ModifyPushConfigRequest(
        subscription=subscription, push_config={"push_endpoint": endpoint.url}
    )
    await local.subscriber.modify_push_config(to_push, retry=None)
    await eventually(lambda: endpoint.requests)
    await local.subscriber.modify_push_config(
        types.ModifyPushConfigRequest(subscription=subscription), retry=None
    )

    await local.publish(topic, b"y")
    assert [each.message.data for each in await local.pull(subscription)] == [b"y"]
