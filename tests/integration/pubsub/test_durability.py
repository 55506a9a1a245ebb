"""Acknowledged writes survive kill -9, and message ids are never reused."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from google.api_core.exceptions import ServiceUnavailable

from support.assertions.eventually import eventually
from support.servers.pubsub import Local, Program, bodies


@pytest.fixture
async def program(tmp_path: Path) -> AsyncIterator[Program]:
    program = await Program(tmp_path / "state" / "pubsub.db").start()
    yield program
    await program.stop()


@pytest.fixture
async def killable(program: Program) -> AsyncIterator[Local]:
    local = Local(program.host)
    yield local
    await local.close()


async def back(local: Local, topic: str) -> None:
    """Wait until the server answers again."""

    async def answers() -> bool:
        try:
            return bool(await local.publisher.get_topic(topic=topic, retry=None))
        except ServiceUnavailable:
            return False

    await eventually(answers)


async def test_an_acknowledged_publish_survives_kill_9(program: Program, killable: Local) -> None:
    topic = await killable.topic()
    subscription = await killable.subscription(topic)
    await killable.publish(topic, b"1", b"2", b"3", key="k", **{"ce-id": "a"})

    await program.kill()
    await program.start()
    await back(killable, topic)

    received = await killable.pull(subscription)
    assert bodies(received) == [b"1", b"2", b"3"]
    assert dict(received[0].message.attributes) == {"ce-id": "a"}


async def test_an_acknowledged_message_is_not_redelivered_after_kill_9(
    program: Program, killable: Local
) -> None:
    topic = await killable.topic()
    subscription = await killable.subscription(topic, enable_exactly_once_delivery=True)
    await killable.publish(topic, b"1", b"2")
    received = await killable.pull(subscription)
    await killable.ack(subscription, received[:1])

    await program.kill()
    await program.start()
    await back(killable, topic)

    assert bodies(await killable.pull(subscription)) == bodies(received[1:])


async def test_message_ids_never_repeat_after_a_restart(program: Program, killable: Local) -> None:
    topic = await killable.topic()
    before = await killable.publish(topic, *[b"x"] * 50)  # no subscription: nothing is kept of these

    await program.kill()
    await program.start()
    await back(killable, topic)

    after = await killable.publish(topic, *[b"x"] * 50)
    assert max(map(int, before)) < min(map(int, after))


async def test_an_open_stream_ends_with_unavailable_when_the_server_stops(
    program: Program, killable: Local
) -> None:
    topic = await killable.topic()
    subscription = await killable.subscription(topic)
    async with killable.stream(subscription, protocol_version=1) as stream:
        stream.send()
        await stream.response()

        ending = asyncio.ensure_future(stream.response())
        assert await program.stop() == 0

        with pytest.raises(ServiceUnavailable):
            await ending
