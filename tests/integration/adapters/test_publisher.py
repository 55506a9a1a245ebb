"""The fake publisher and subscriber give the guarantees of the real ones."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest

from signalbox_core.errors import InvalidInput, Unavailable
from signalbox_core.events.envelope import MAX_EVENT_BYTES
from signalbox_core.process.tasks import cancel_and_wait
from signalbox_core.pubsub import EventSource, Handler, Publisher, PubSubPublisher, Received, Subscriber
from signalbox_core.testing.pubsub import FakePublisher, FakeSubscriber
from signalbox_core.topology import LIFECYCLE, PROJECTOR, provision_pubsub
from signalbox_devstack.emulators.pubsub.server import run_server
from support.assertions.eventually import eventually
from support.fakes.events import story

EVENTS = [event for event in story() if event.sequence is not None]


class Pair:
    """A publisher, and a subscriber of the lifecycle topic."""

    def __init__(self, publisher: Publisher, subscribe: Callable[[], EventSource]) -> None:
        self.publisher = publisher
        self.subscribe = subscribe


@pytest.fixture(params=["fake", "real"])
async def pair(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Pair]:
    if request.param == "fake":
        fake = FakePublisher()
        yield Pair(fake, lambda: FakeSubscriber(fake, LIFECYCLE))
        return
    async with run_server(host="127.0.0.1", port=0, data=tmp_path / "pubsub.db") as running:
        host = f"127.0.0.1:{running.port}"
        await provision_pubsub("test", emulator_host=host)
        async with PubSubPublisher("test", emulator_host=host) as publisher:
            yield Pair(publisher, lambda: Subscriber("test", PROJECTOR, emulator_host=host))


async def receive(source: EventSource, handler: Handler, until: Callable[[], bool]) -> None:
    """Run the subscriber until the condition holds, then cancel it."""
    running = asyncio.create_task(source.run(handler))
    try:
        await eventually(until, within_s=60)
    finally:
        await cancel_and_wait(running)


async def test_events_arrive_as_they_were_published_in_order(pair: Pair) -> None:
    seen: list[Received] = []

    async def handler(received: Received) -> None:
        seen.append(received)

    ids = [await pair.publisher.publish(LIFECYCLE, event, ordering_key=event.runid) for event in EVENTS]
    await receive(pair.subscribe(), handler, lambda: len(seen) == len(EVENTS))

    assert [received.message_id for received in seen] == ids
    assert [bytes(received.event.data) for received in seen] == [bytes(event.data) for event in EVENTS]
    assert [(r.event.id, r.event.sequence, r.event.time) for r in seen] == [
        (e.id, e.sequence, e.time) for e in EVENTS
    ]
    assert {received.ordering_key for received in seen} == {"run-1"}


async def test_every_publish_gets_its_own_id(pair: Pair) -> None:
    calls = (pair.publisher.publish(LIFECYCLE, EVENTS[0], ordering_key=f"k{n % 5}") for n in range(100))

    assert len(set(await asyncio.gather(*calls))) == 100


async def test_an_event_whose_handler_is_unavailable_is_redelivered_before_the_next(pair: Pair) -> None:
    seen: list[int | None] = []

    async def handler(received: Received) -> None:
        seen.append(received.event.sequence)
        if seen.count(1) < 2:
            raise Unavailable("Redis is unavailable")

    for event in EVENTS[:3]:
        await pair.publisher.publish(LIFECYCLE, event, ordering_key=event.runid)
    await receive(pair.subscribe(), handler, lambda: 3 in seen)

    assert seen == [1, 1, 2, 3]


async def test_a_rejected_event_is_not_redelivered(pair: Pair) -> None:
    seen: list[int | None] = []

    async def handler(received: Received) -> None:
        seen.append(received.event.sequence)
        if received.event.sequence == 1:
            raise InvalidInput("no such thing")

    for event in EVENTS[:2]:
        await pair.publisher.publish(LIFECYCLE, event, ordering_key=event.runid)
    await receive(pair.subscribe(), handler, lambda: 2 in seen)

    assert seen == [1, 2]


async def test_an_oversized_event_is_rejected_before_it_is_sent(pair: Pair) -> None:
    body = msgspec.Raw(b'"' + b"x" * MAX_EVENT_BYTES + b'"')

    with pytest.raises(InvalidInput, match="object store"):
        await pair.publisher.publish(
            LIFECYCLE, msgspec.structs.replace(EVENTS[0], data=body), ordering_key="k"
        )
