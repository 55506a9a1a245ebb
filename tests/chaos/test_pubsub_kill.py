"""kill -9 of the Pub/Sub server under a publish load: nothing acknowledged is lost, order per key holds, ids
never repeat."""

import asyncio
from collections import defaultdict
from pathlib import Path

import msgspec

from signalbox_core.errors import Unavailable
from signalbox_core.events.envelope import CloudEvent
from signalbox_core.process.tasks import cancel_and_wait
from signalbox_core.pubsub import PubSubPublisher, Received, Subscriber
from signalbox_core.topology import LIFECYCLE, PROJECTOR, provision_pubsub
from support.assertions.eventually import eventually
from support.fakes.events import story
from support.servers.pubsub import Program

KEYS = 8
PER_KEY = 250
KILLS = 4
EVENT = story()[0]


class Run:
    """One writer of a key: publishes 1, 2, 3, … and repeats each until it is acknowledged, as a workflow's
    outbox does."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.message_ids: list[str] = []
        self.repeats = 0

    async def publish_all(self, publisher: PubSubPublisher) -> None:
        for sequence in range(1, PER_KEY + 1):
            event = msgspec.structs.replace(
                EVENT,
                id=f"{self.run_id}-{sequence}",
                runid=self.run_id,
                subject=self.run_id,
                sequence=sequence,
            )
            self.message_ids.append(await self.publish(publisher, event))

    async def publish(self, publisher: PubSubPublisher, event: CloudEvent) -> str:
        while True:
            try:
                return await publisher.publish(LIFECYCLE, event, ordering_key=self.run_id)
            except Unavailable:
                self.repeats += 1


class Reader:
    """Keeps each run's sequence numbers as an idempotent consumer sees them: first sight counts."""

    def __init__(self) -> None:
        self.seen: dict[str, list[int]] = defaultdict(list)
        self.deliveries = 0

    async def __call__(self, received: Received) -> None:
        self.deliveries += 1
        event = received.event
        assert event.sequence is not None
        if event.sequence not in self.seen[event.runid]:
            self.seen[event.runid].append(event.sequence)

    def count(self) -> int:
        return sum(len(sequences) for sequences in self.seen.values())


async def test_kill_9_under_load_loses_no_acknowledged_publish(tmp_path: Path) -> None:
    program = await Program(tmp_path / "pubsub.db").start()
    await provision_pubsub("chaos", emulator_host=program.host)
    runs, reader = [Run(f"run-{n}") for n in range(KEYS)], Reader()
    reading = asyncio.create_task(Subscriber("chaos", PROJECTOR, emulator_host=program.host).run(reader))

    async with (
        PubSubPublisher("chaos", emulator_host=program.host, timeout_s=2.0) as publisher,
        asyncio.TaskGroup() as writers,
    ):
        for run in runs:
            writers.create_task(run.publish_all(publisher))
        for kill in range(1, KILLS + 1):
            share = KEYS * PER_KEY * kill // (KILLS + 1)
            await eventually(
                lambda share=share: sum(len(run.message_ids) for run in runs) >= share, within_s=60
            )
            await program.kill()
            await program.start()

    await eventually(lambda: reader.count() == KEYS * PER_KEY, within_s=60)
    await cancel_and_wait(reading)
    await program.stop()

    ids = [message_id for run in runs for message_id in run.message_ids]
    assert len(set(ids)) == KEYS * PER_KEY
    assert reader.seen == {run.run_id: list(range(1, PER_KEY + 1)) for run in runs}


async def test_kill_9_with_messages_in_flight_redelivers_them(tmp_path: Path) -> None:
    program = await Program(tmp_path / "pubsub.db").start()
    await provision_pubsub("chaos", emulator_host=program.host)
    run, held, reader = Run("run-1"), asyncio.Event(), Reader()

    async def slow(received: Received) -> None:
        if not held.is_set():
            await held.wait()
        await reader(received)

    reading = asyncio.create_task(Subscriber("chaos", PROJECTOR, emulator_host=program.host).run(slow))
    async with PubSubPublisher("chaos", emulator_host=program.host, timeout_s=2.0) as publisher:
        await run.publish_all(publisher)
        await program.kill()
        await program.start()
        held.set()
        await eventually(lambda: reader.count() == PER_KEY, within_s=60)
    await cancel_and_wait(reading)
    await program.stop()

    assert reader.seen["run-1"] == list(range(1, PER_KEY + 1))
