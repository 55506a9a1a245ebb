"""The local Pub/Sub server and our asynchronous clients, against a limit and against Google's high-level clients as peer."""

import asyncio
import sys
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from google.cloud import pubsub_v1  # type: ignore[attr-defined]  # a namespace package without types
from google.cloud.pubsub_v1.subscriber.message import Message

from signalbox_core.process.tasks import end
from signalbox_core.pubsub import PubSubPublisher, Received, Subscriber, to_message
from signalbox_core.topology import LIFECYCLE, PROJECTOR, provision_pubsub
from support.assertions.eventually import eventually
from support.fakes.events import story
from support.servers.pubsub import Program

MESSAGES = 10_000
KEYS = 100
EVENT = story()[0]
LEAST_PER_S = 1_000
MOST_P50_MS = 20.0


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
    await end(reading)
    return rate


def google_publish(host: str, monkeypatch: pytest.MonkeyPatch) -> float:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", host)
    client = pubsub_v1.PublisherClient(
        publisher_options=pubsub_v1.types.PublisherOptions(enable_message_ordering=True)
    )
    message = to_message(EVENT)
    start = time.perf_counter()
    calls = [
        client.publish(
            f"projects/bench/topics/{LIFECYCLE}",
            message.data,
            ordering_key=f"k{n % KEYS}",
            **message.attributes,
        )
        for n in range(MESSAGES)
    ]
    for call in calls:
        call.result(120)
    rate = per_second(MESSAGES, start)
    client.stop()
    client.transport.close()
    return rate


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


async def test_throughput_against_googles_high_level_clients(
    host: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = (await our_publish(host), await our_delivery(host))
    peer = (
        await asyncio.to_thread(google_publish, host, monkeypatch),
        await asyncio.to_thread(google_delivery, host, monkeypatch),
    )

    published = f"published {ours[0]:.0f} (Google's client {peer[0]:.0f})"
    delivered = f"delivered {ours[1]:.0f} (Google's client {peer[1]:.0f})"
    report(capsys, f"{MESSAGES} events, {KEYS} ordering keys, messages/s: {published}, {delivered}")
    assert ours[0] > LEAST_PER_S
    assert ours[1] > LEAST_PER_S
    assert ours[0] > peer[0]
    assert ours[1] > peer[1]


async def test_latency_from_publish_to_acknowledgement_and_to_the_handler(
    host: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arrived: dict[str, float] = {}

    async def handler(received: Received) -> None:
        arrived[received.event.id] = time.perf_counter()

    reading = asyncio.create_task(Subscriber("bench", PROJECTOR, emulator_host=host).run(handler))
    acks, ends = [], []
    async with PubSubPublisher("bench", emulator_host=host) as publisher:
        for n in range(300):
            event = msgspec.structs.replace(EVENT, id=str(n))
            start = time.perf_counter()
            await publisher.publish(LIFECYCLE, event, ordering_key="k")
            acks.append(time.perf_counter() - start)
            await eventually(lambda n=n: str(n) in arrived, every_s=0.0005)
            ends.append(arrived[str(n)] - start)
    await end(reading)

    ack_ms, end_ms = (sorted(times)[150] * 1000 for times in (acks, ends))
    report(capsys, f"p50 to the acknowledgement {ack_ms:.2f} ms, to the handler {end_ms:.2f} ms")
    assert ack_ms < MOST_P50_MS
    assert end_ms < MOST_P50_MS
