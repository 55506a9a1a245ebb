"""The subscriber of core: leases, reconnects, undecodable messages, shutdown."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from signalbox_core.pubsub import (
    DispatchOutcome,
    Handler,
    PubSubPublisher,
    Received,
    Subscriber,
    SubscriberLimits,
    to_message,
)
from signalbox_devstack.emulators.pubsub.server import run_server
from support.assertions.eventually import beside, eventually
from support.fakes.events import story
from support.servers.pubsub import Local, Program

EVENT = story()[0]


@asynccontextmanager
async def running(subscriber: Subscriber, handler: Handler) -> AsyncIterator[None]:
    async with beside(subscriber.run(handler)):
        yield


class RecordingHandler:
    """A handler that notes sequence numbers and, while `gate` is closed, does not return."""

    def __init__(self, *, is_open: bool = True) -> None:
        self.sequences: list[int | None] = []
        self.gate = asyncio.Event()
        if is_open:
            self.gate.set()

    async def __call__(self, received: Received) -> None:
        self.sequences.append(received.event.sequence)
        await self.gate.wait()

    def has(self, count: int) -> Callable[[], bool]:
        return lambda: len(self.sequences) >= count


async def publish(host: str, *sequences: int) -> None:
    async with PubSubPublisher("test", emulator_host=host, timeout_s=30) as publisher:
        for n in sequences:
            event = msgspec.structs.replace(EVENT, id=f"e-{n}", sequence=n)
            await publisher.publish("topic", event, ordering_key="k")


async def test_the_subscriber_is_connected_once_the_stream_is_open(local: Local) -> None:
    await local.subscription(await local.topic())
    subscriber = Subscriber("test", "sub", emulator_host=local.host)
    async with running(subscriber, RecordingHandler()):
        await eventually(lambda: subscriber.is_connected)
    assert not subscriber.is_connected


async def test_the_subscriber_waits_for_a_missing_subscription(local: Local) -> None:
    topic, seen = await local.topic(), RecordingHandler()
    async with running(Subscriber("test", "sub", emulator_host=local.host), seen):
        await local.subscription(topic)
        await publish(local.host, 1)
        await eventually(seen.has(1), within_s=60)


async def test_recycled_streams_are_reopened_without_loss(tmp_path: Path) -> None:
    async with run_server(host="127.0.0.1", port=0, data=tmp_path / "pubsub.db", stream_s=0.2) as server:
        local = Local(f"127.0.0.1:{server.port}")
        await local.subscription(await local.topic(), enable_message_ordering=True)
        seen = RecordingHandler()
        async with running(Subscriber("test", "sub", emulator_host=local.host), seen):
            for n in range(1, 11):
                await publish(local.host, n)
                await eventually(seen.has(n), within_s=60)
        await local.close()

    assert list(dict.fromkeys(seen.sequences)) == list(range(1, 11))


async def test_the_subscriber_reconnects_to_a_restarted_server(tmp_path: Path) -> None:
    program = await Program(tmp_path / "pubsub.db").start()
    local, seen = Local(program.host), RecordingHandler()
    await local.subscription(await local.topic(), enable_message_ordering=True)
    async with running(Subscriber("test", "sub", emulator_host=program.host), seen):
        await publish(program.host, 1)
        await eventually(seen.has(1))
        await program.kill()
        await program.start()
        await publish(program.host, 2, 3)
        await eventually(lambda: 3 in seen.sequences, within_s=30)
    await local.close()
    await program.stop()

    assert list(dict.fromkeys(seen.sequences)) == [1, 2, 3]


async def test_a_lease_is_extended_while_the_handler_runs(local: Local) -> None:
    await local.subscription(await local.topic())
    seen = RecordingHandler(is_open=False)
    limits = SubscriberLimits(lease_s=10)
    async with running(Subscriber("test", "sub", emulator_host=local.host, limits=limits), seen):
        await publish(local.host, 1)
        await eventually(seen.has(1))
        # Two extensions go out within this wait, so a lease of ten seconds has been outlived once it is over.
        await asyncio.wait([asyncio.create_task(seen.gate.wait())], timeout=12)
        seen.gate.set()
    assert seen.sequences == [1]


async def test_a_handler_that_needs_no_order_does_not_wait_for_earlier_messages_of_the_key(
    local: Local,
) -> None:
    await local.subscription(await local.topic(), enable_message_ordering=True)
    seen = RecordingHandler(is_open=False)
    limits = SubscriberLimits(keeps_order=False)
    async with running(Subscriber("test", "sub", emulator_host=local.host, limits=limits), seen):
        await publish(local.host, 1, 2, 3)
        await eventually(seen.has(3), within_s=30)
        seen.gate.set()
    assert seen.sequences == [1, 2, 3]


async def test_a_handler_that_times_out_is_cancelled_and_the_event_redelivered(local: Local) -> None:
    await local.subscription(await local.topic())
    seen, outcomes = RecordingHandler(is_open=False), list[DispatchOutcome]()
    limits = SubscriberLimits(handler_s=0.1)
    async with running(
        Subscriber("test", "sub", emulator_host=local.host, limits=limits, observe=outcomes.append), seen
    ):
        await publish(local.host, 1)
        await eventually(seen.has(2))
        seen.gate.set()
        await eventually(lambda: DispatchOutcome.HANDLED in outcomes)
    assert outcomes[0] is DispatchOutcome.RETRIED


async def test_an_undecodable_message_is_acknowledged_and_counted(local: Local) -> None:
    topic, outcomes = await local.topic(), list[DispatchOutcome]()
    subscription = await local.subscription(topic)
    await local.publish(topic, b"not an event")
    async with running(
        Subscriber("test", "sub", emulator_host=local.host, observe=outcomes.append), RecordingHandler()
    ):
        await eventually(lambda: outcomes)

    assert outcomes == [DispatchOutcome.UNDECODABLE]
    assert await local.pull_now(subscription) == []


async def test_in_flight_messages_are_redelivered_immediately_after_cancellation(local: Local) -> None:
    topic = await local.topic()
    subscription = await local.subscription(topic, enable_message_ordering=True)
    seen = RecordingHandler(is_open=False)
    async with running(Subscriber("test", "sub", emulator_host=local.host), seen):
        await publish(local.host, 1, 2)
        await eventually(seen.has(1))

    assert len(await local.pull(subscription)) == 2


async def test_handled_messages_are_acknowledged_even_on_immediate_shutdown(local: Local) -> None:
    topic = await local.topic()
    subscription = await local.subscription(topic)
    message = to_message(EVENT)
    await local.publish(topic, message.data, **message.attributes)
    outcomes = list[DispatchOutcome]()
    async with running(
        Subscriber("test", "sub", emulator_host=local.host, observe=outcomes.append), RecordingHandler()
    ):
        await eventually(lambda: outcomes, every_s=0.001)

    assert await local.pull_now(subscription) == []
