"""Recovery of a Redis that lost its data, with a real Redis and a real Pub/Sub server."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from signalbox_core import topology
from signalbox_core.errors import Rejected
from signalbox_core.events import CloudEvent, Snapshot
from signalbox_core.ids import run_key
from signalbox_core.pubsub import PubSubPublisher, Subscriber
from signalbox_core.pubsub.dispatch import DispatchOutcome
from signalbox_core.streams import RedisRunStream
from signalbox_gateway.background.projector import Projector
from signalbox_gateway.background.reconciler import CURSOR_KEY, Reconciler
from signalbox_gateway.background.recovery import BUSY_KEY, SOUGHT_KEY, StreamRecovery
from support.assertions.eventually import beside, eventually
from support.drivers.sse import sequences
from support.fakes.events import story
from support.fakes.known_runs import FakeRunDirectory, closed_run
from support.servers.streams import reading, serving

DAYS_AGO = datetime.now(UTC) - timedelta(days=3)
LATER = timedelta(minutes=3)


def milestones(run_id: str) -> list[CloudEvent]:
    return [event for event in story(run_id) if event.sequence is not None]


class Stage:
    """A gateway's projector and any number of reconcilers; `rewound` counts the seeks."""

    def __init__(self, redis: Redis, pubsub_host: str, project: str, publisher: PubSubPublisher) -> None:
        self.redis = redis
        self.streams = RedisRunStream(redis)
        self.runs = FakeRunDirectory()
        self.rewound: list[datetime] = []
        self.settled: list[DispatchOutcome] = []
        self._publisher = publisher
        self.subscriber = Subscriber(
            project, topology.PROJECTOR, emulator_host=pubsub_host, observe=self.settled.append
        )
        self.recovery = StreamRecovery(redis, self.rewind, self.runs)
        self.projector = Projector(self.subscriber, self.streams, self.recovery.on_projected)

    async def rewind(self, to: datetime) -> None:
        self.rewound.append(to)
        await self.subscriber.seek(to)

    def reconciler(self) -> Reconciler:
        return Reconciler(self.redis, self.streams, self.runs, {}, recovery=self.recovery)

    async def publish(self, events: list[CloudEvent]) -> None:
        for event in events:
            await self._publisher.publish(topology.LIFECYCLE, event, ordering_key=event.runid)

    async def kept(self, run_id: str) -> list[int | None]:
        return [frame.sequence for frame in (await self.streams.read(run_key("acme", run_id), None)).frames]

    async def until_kept(self, run_id: str, count: int) -> None:
        async def is_kept() -> bool:
            return await self.kept(run_id) == list(range(1, count + 1))

        await eventually(is_kept, within_s=60)

    async def workflow_snapshot(self, run_id: str) -> Snapshot:
        projected = await self.streams.snapshot(run_key("acme", run_id))
        assert projected is not None
        return projected.snapshot


@pytest.fixture
async def stage(redis_url: str, pubsub_host: str) -> AsyncIterator[Stage]:
    project = f"replay-{uuid4().hex}"  # a replay brings everything that there ever was
    await topology.provision_pubsub(project, emulator_host=pubsub_host)
    async with (
        Redis.from_url(redis_url) as redis,
        PubSubPublisher(project, emulator_host=pubsub_host) as publisher,
    ):
        await redis.flushall()
        stage = Stage(redis, pubsub_host, project, publisher)
        async with beside(stage.projector.run()):
            yield stage


async def test_the_full_history_of_ended_and_open_runs_is_restored(stage: Stage, redis_url: str) -> None:
    one, two = stage.reconciler(), stage.reconciler()
    assert [await one.lead(), await two.lead()] == [True, False]
    await one.round(datetime.now(UTC))
    assert stage.rewound == []  # everything is new: there is nothing to bring back
    ended, opened, silent = (milestones(run_id) for run_id in ("ended-1", "open-1", "silent-1"))
    await stage.publish([*ended, *opened[:5], *silent[:3]])
    for run_id, count in (("ended-1", 9), ("open-1", 5), ("silent-1", 3)):
        await stage.until_kept(run_id, count)
    stage.runs.infos = {
        "ended-1": closed_run("completed", run_id="ended-1", at=DAYS_AGO),
        "open-1": closed_run("running", run_id="open-1"),
        "silent-1": closed_run("terminated", run_id="silent-1", at=DAYS_AGO),
    }
    stage.runs.snapshots = {run_id: await stage.workflow_snapshot(run_id) for run_id in ("ended-1", "open-1")}
    before = await stage.streams.read("acme:open-1", None)
    async with (
        Redis.from_url(redis_url) as client,
        serving(client) as gateway,
        reading(gateway.origin, "/v1/runs/open-1/stream") as reader,
    ):
        await reader.until(1)
        await stage.redis.flushall()
        # The receiver is quicker than the replay, and the first round has nothing to repair it with.
        assert await stage.streams.append(opened[5]) == "parked"
        assert [await one.lead(), await two.lead()] == [True, False]
        for _ in range(3):
            await one.round(datetime.now(UTC))
        for run_id, count in (("ended-1", 9), ("open-1", 6), ("silent-1", 3)):
            await stage.until_kept(run_id, count)
        for _ in range(2):
            await one.round(datetime.now(UTC) + LATER)
        assert len(stage.rewound) == 1
        await stage.publish(opened[6:])
        events = await reader.until_over()

    assert reader.names[:3] == ["snapshot", "reset", "snapshot"]
    assert (reader.names.count("reset"), reader.names[-1]) == (1, "end")
    shown = int(str(events[2].sequence))
    assert sequences(events) == list(range(shown + 1, 10))
    after = await stage.streams.read("acme:open-1", None)
    assert after.epoch not in ("", before.epoch)
    assert await stage.kept("open-1") == await stage.kept("ended-1") == list(range(1, 10))
    # The end of a run that was terminated was never published.
    assert [frame.name for frame in (await stage.streams.read("acme:silent-1", None)).frames][3:] == [
        "run.terminated"
    ]
    assert await stage.redis.exists(CURSOR_KEY) == 1


async def test_a_seek_whose_mark_was_lost_is_repeated(stage: Stage) -> None:
    await stage.publish(milestones("run-1"))
    await stage.until_kept("run-1", 9)
    epoch = (await stage.streams.read("acme:run-1", None)).epoch
    stage.runs.infos = {"run-1": closed_run("completed", at=DAYS_AGO)}
    reconciler = stage.reconciler()
    for _ in range(2):
        settled = len(stage.settled)
        await stage.redis.delete(SOUGHT_KEY)
        assert await reconciler.lead()
        await reconciler.round(datetime.now(UTC))
        # Not all nine: acknowledgements of earlier deliveries may overtake the seek.
        await eventually(lambda settled=settled: len(stage.settled) > settled, within_s=60)
    assert len(stage.rewound) == 2
    history = await stage.streams.read("acme:run-1", None)
    assert (history.epoch, len(history.frames)) == (epoch, 9)


async def test_a_restored_stream_drops_redelivered_events(stage: Stage) -> None:
    await stage.publish(milestones("run-1")[:5])
    await stage.until_kept("run-1", 5)
    snapshot = await stage.workflow_snapshot("run-1")
    epoch = await stage.streams.rebuild(snapshot)
    settled = len(stage.settled)

    async def came_again() -> bool:
        # Acknowledgements of earlier deliveries may overtake a seek.
        await stage.rewind(datetime.now(UTC) - topology.RETENTION)
        return len(stage.settled) >= settled + 5

    await eventually(came_again, within_s=60, every_s=1)
    history = await stage.streams.read("acme:run-1", None)
    assert (history.epoch, history.top, history.frames) == (epoch, 5, ())
    await stage.publish(milestones("run-1")[5:])
    await eventually(lambda: _has_ended(stage, "run-1"))


async def test_without_the_permission_to_seek_open_runs_come_from_their_workflows(
    stage: Stage, pubsub_host: str
) -> None:
    events = milestones("run-1")
    await stage.streams.append_many(events[:5])
    stage.runs.infos, stage.runs.snapshots = (
        {"run-1": closed_run("running")},
        {"run-1": await stage.workflow_snapshot("run-1")},
    )
    await stage.redis.flushall()
    stage.subscriber = Subscriber("replay-none", "nobody-made-this", emulator_host=pubsub_host)
    with pytest.raises(Rejected, match="cannot seek"):
        await stage.subscriber.seek(datetime.now(UTC))
    reconciler = stage.reconciler()
    assert await reconciler.lead()
    await reconciler.round(datetime.now(UTC))
    assert (await stage.streams.read("acme:run-1", None)).top == 5
    assert await stage.redis.exists(CURSOR_KEY, SOUGHT_KEY) == 1


async def test_old_events_mark_the_redelivery_as_ongoing(stage: Stage) -> None:
    await stage.recovery.on_projected(datetime.now(UTC))
    assert await stage.redis.exists(BUSY_KEY) == 0
    await stage.recovery.on_projected(DAYS_AGO)
    assert 0 < await stage.redis.pttl(BUSY_KEY) <= 5_000


async def _has_ended(stage: Stage, run_id: str) -> bool:
    return (await stage.streams.read(run_key("acme", run_id), None)).ended
