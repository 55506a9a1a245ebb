"""The local Pub/Sub server and our asynchronous clients, against Google's high-level clients as peer."""

import asyncio
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import msgspec
import pytest
from google.cloud import pubsub_v1  # type: ignore[attr-defined]  # a namespace package without types
from google.cloud.pubsub_v1.subscriber.message import Message

from signalbox_core.events import CloudEvent
from signalbox_core.process.tasks import cancel_and_wait
from signalbox_core.pubsub import PubSubPublisher, Received, Subscriber, to_message
from signalbox_core.topology import LIFECYCLE, PROJECTOR, provision_pubsub
from support.assertions.eventually import eventually
from support.fakes.events import story
from support.servers.pubsub import Program

MESSAGES = 10_000
KEYS = 100
EVENT = story()[0]
TOPIC = f"projects/bench/topics/{LIFECYCLE}"
ROUNDS, SINGLES = 2, 300
LEAST_RATIO = 1.0


@dataclass(frozen=True)
class Latency:
    """Of one event: milliseconds from the call to the acknowledgement, and to our handler."""

    ack_ms: float
    handler_ms: float


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[str]:
    program = await Program(tmp_path / "pubsub.db").start()
    await provision_pubsub("bench", emulator_host=program.host)
    yield program.host
    await program.stop()


def report(capsys: pytest.CaptureFixture[str], line: str) -> None:
    with capsys.disabled():
        sys.stdout.write(f"\n{line}\n")


def per_second(count: int, since: float) -> float:
    return count / (time.perf_counter() - since)


async def our_publish(host: str) -> float:
    async with PubSubPublisher("bench", emulator_host=host, timeout_s=60) as publisher:
        start = time.perf_counter()
        await asyncio.gather(
            *(publisher.publish(LIFECYCLE, EVENT, ordering_key=f"k{n % KEYS}") for n in range(MESSAGES))
        )
        return per_second(MESSAGES, start)


async def our_delivery(host: str) -> float:
    seen = 0

    async def handler(_: Received) -> None:
        nonlocal seen
        seen += 1

    reading = asyncio.create_task(Subscriber("bench", PROJECTOR, emulator_host=host).run(handler))
    start = time.perf_counter()
    await eventually(lambda: seen >= MESSAGES, within_s=120)
    rate = per_second(seen, start)
    await cancel_and_wait(reading)
    return rate


@contextmanager
def google_publisher(host: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[pubsub_v1.PublisherClient]:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", host)
    options = pubsub_v1.types.PublisherOptions(enable_message_ordering=True)
    client = pubsub_v1.PublisherClient(publisher_options=options)
    try:
        yield client
    finally:
        client.stop()
        client.transport.close()


def google_publish(host: str, monkeypatch: pytest.MonkeyPatch) -> float:
    message = to_message(EVENT)
    with google_publisher(host, monkeypatch) as client:
        start = time.perf_counter()
        calls = [
            client.publish(TOPIC, message.data, ordering_key=f"k{n % KEYS}", **message.attributes)
            for n in range(MESSAGES)
        ]
        for call in calls:
            call.result(120)
        return per_second(MESSAGES, start)


def google_delivery(host: str, monkeypatch: pytest.MonkeyPatch) -> float:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", host)
    seen, done = 0, threading.Event()

    def receive(message: Message) -> None:
        nonlocal seen
        message.ack()
        seen += 1
        if seen >= MESSAGES:
            done.set()

    with pubsub_v1.SubscriberClient() as client:
        start = time.perf_counter()
        pulling = client.subscribe(f"projects/bench/subscriptions/{PROJECTOR}", callback=receive)
        done.wait(120)
        rate = per_second(seen, start)
        pulling.cancel()
        pulling.result(30)
    return rate


async def test_throughput_exceeds_that_of_googles_client(
    host: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def ours() -> tuple[float, float]:
        return await our_publish(host), await our_delivery(host)

    async def googles() -> tuple[float, float]:
        published = await asyncio.to_thread(google_publish, host, monkeypatch)
        return published, await asyncio.to_thread(google_delivery, host, monkeypatch)

    arms = {"ours": ours, "Google's": googles}
    rates: dict[str, list[tuple[float, float]]] = {name: [] for name in arms}
    for turn in range(ROUNDS):
        for name in list(arms)[:: -1 if turn % 2 else 1]:
            rates[name].append(await arms[name]())

    for number, kind in enumerate(("published", "delivered")):
        mine, peer = (median(rate[number] for rate in rates[name]) for name in arms)
        report(capsys, f"{kind}/s, {KEYS} ordering keys: {mine:.0f}, Google's client {peer:.0f}")
        assert mine >= LEAST_RATIO * peer


async def test_latency_is_below_that_of_googles_client(
    host: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The peer publishes the same event in turns with ours; one subscriber of ours takes both."""
    arrived: dict[str, float] = {}

    async def handler(received: Received) -> None:
        arrived[received.event.id] = time.perf_counter()

    async def measure(publish: Callable[[CloudEvent], Awaitable[object]], event_id: str) -> Latency:
        start = time.perf_counter()
        await publish(msgspec.structs.replace(EVENT, id=event_id))
        acknowledged = time.perf_counter()
        await eventually(lambda: event_id in arrived, every_s=0.0005)
        return Latency((acknowledged - start) * 1000, (arrived[event_id] - start) * 1000)

    found: dict[str, list[Latency]] = {"ours": [], "Google's": []}
    reading = asyncio.create_task(Subscriber("bench", PROJECTOR, emulator_host=host).run(handler))
    async with PubSubPublisher("bench", emulator_host=host) as publisher:
        with google_publisher(host, monkeypatch) as peer:

            async def by_us(event: CloudEvent) -> None:
                await publisher.publish(LIFECYCLE, event, ordering_key="k")

            async def by_google(event: CloudEvent) -> None:
                message = to_message(event)
                future = peer.publish(TOPIC, message.data, ordering_key="k", **message.attributes)
                await asyncio.to_thread(future.result, 10)

            for number in range(SINGLES):
                found["ours"].append(await measure(by_us, f"ours-{number}"))
                found["Google's"].append(await measure(by_google, f"google-{number}"))
    await cancel_and_wait(reading)

    mine, theirs = (
        Latency(median(one.ack_ms for one in each), median(one.handler_ms for one in each))
        for each in found.values()
    )
    for name, each in zip(found, (mine, theirs), strict=True):
        report(
            capsys,
            f"p50 {name}: to the acknowledgement {each.ack_ms:.2f} ms, "
            f"to the handler {each.handler_ms:.2f} ms",
        )
    assert mine.ack_ms <= theirs.ack_ms
    assert mine.handler_ms <= theirs.handler_ms
