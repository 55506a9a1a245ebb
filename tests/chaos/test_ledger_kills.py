"""kill -9 of two ledger writers that write at once: no event is lost, and none is recorded twice."""

import asyncio
import os
import random
from collections import Counter
from pathlib import Path

import pytest

from signalbox_core.errors import Unavailable
from signalbox_core.events import CloudEvent
from signalbox_core.ledger.audit import find_damage
from signalbox_core.ledger.entries import decode_entry
from signalbox_core.ledger.layout import LogKeys
from signalbox_core.ledger.notes import NoteSigner, new_signer, open_checkpoint
from signalbox_core.ledger.tiles import TileRef, bundle_refs, decode_bundle
from signalbox_core.pubsub import PubSubPublisher
from signalbox_core.topology import LIFECYCLE, provision_pubsub
from support.assertions.eventually import eventually
from support.fakes.ledger import TENANT, decided
from support.servers.ledger_writer import WriterProcess, checkpoint_in

# 100,000 entries and 50 kills take more than five minutes.
EVENTS = int(os.environ.get("SIGNALBOX_CHAOS_ENTRIES", "1500"))
KILLS = int(os.environ.get("SIGNALBOX_CHAOS_KILLS", "4"))
PROJECT = "ledger-kills"


@pytest.mark.timeout(300 + EVENTS // 50)
async def test_killed_writers_neither_lose_nor_double_an_entry(
    redis_url: str, pubsub_host: str, tmp_path: Path
) -> None:
    await record_under_kills(tmp_path, redis_url, pubsub_host, events=EVENTS, kills=KILLS)


async def record_under_kills(
    folder: Path, redis_url: str, pubsub_host: str, *, events: int, kills: int
) -> None:
    """Publish events, kill a writer whenever the log has grown, and compare the log with the events."""
    await provision_pubsub(PROJECT, emulator_host=pubsub_host)
    store, signer = folder / "objects", new_signer("signalbox.test/ledger")
    store.mkdir()
    (folder / "ledger.key").write_text(signer.private_text)
    writers = [
        WriterProcess(
            store,
            folder / "ledger.key",
            redis_url=f"{redis_url.rpartition('/')[0]}/{database}",
            pubsub_host=pubsub_host,
            project=PROJECT,
        )
        for database in (8, 9)
    ]
    published = [decided(f"run-{number}") for number in range(events)]
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(publish(published, pubsub_host))
            for writer in writers:
                await writer.start()
            await kill_repeatedly(writers, store, kills, events=events)
        await eventually(lambda: size_of(store) >= events, within_s=60 + events / 200)
    finally:
        for writer in writers:
            await writer.kill()
    compare(store, signer, [event.id for event in published])


async def publish(events: list[CloudEvent], pubsub_host: str) -> None:
    """Publish every event, and every tenth of them twice."""
    async with PubSubPublisher(PROJECT, emulator_host=pubsub_host) as publisher:
        for start in range(0, len(events), 500):
            part = events[start : start + 500]
            await asyncio.gather(*(publish_until_accepted(publisher, item) for item in part + part[::10]))


async def publish_until_accepted(publisher: PubSubPublisher, event: CloudEvent) -> None:
    """Publish again when no acknowledgement arrived, which may publish twice, as the outbox of a run does."""
    while True:
        try:
            await publisher.publish(LIFECYCLE, event, ordering_key=event.runid)
            return
        except Unavailable:
            continue


async def kill_repeatedly(writers: list[WriterProcess], store: Path, kills: int, *, events: int) -> None:
    """Kill a writer once the log has grown since the kill before, and start it again."""
    source = random.Random(18)
    for _ in range(kills):
        wanted = min(events, size_of(store) + source.randint(1, events // (kills + 2)))
        await eventually(lambda wanted=wanted: size_of(store) >= wanted, within_s=90)
        victim = source.choice(writers)
        await victim.kill()
        await victim.start()


def size_of(store: Path) -> int:
    found = checkpoint_in(store, TENANT)
    return found.size if found else 0


def compare(store: Path, signer: NoteSigner, expected: list[str]) -> None:
    folder = store / LogKeys(TENANT).folder
    checkpoint = open_checkpoint((folder / "checkpoint").read_text(), [signer.verifier])

    def read_tile(ref: TileRef) -> bytes | None:
        path = folder / ref.path
        return path.read_bytes() if path.exists() else None

    assert find_damage(checkpoint, read_tile) is None
    bundles = [decode_bundle((folder / ref.path).read_bytes()) for ref in bundle_refs(checkpoint.size)]
    found = Counter(decode_entry(entry).event_id for bundle in bundles for entry in bundle)
    assert found == Counter(expected)
