"""The reconciler repairs streams from Temporal: ends, gaps and data loss in Redis; on real servers."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis
from temporalio.client import Client, WorkflowHandle

from signalbox_core.events import Snapshot
from signalbox_core.ids import run_key
from signalbox_core.process.tasks import cancel_and_wait
from signalbox_core.redis.lease import LeaseLost
from signalbox_core.streams import RedisRunStream
from signalbox_core.temporal import connect, names
from signalbox_core.testing.snapshots import query_snapshot
from signalbox_gateway.background.reconciler import CURSOR_KEY, LEASE_KEYS, Reconciler
from signalbox_gateway.runs.run_info import WorkflowRules
from signalbox_gateway.runs.temporal import TemporalRuns
from support.assertions.eventually import eventually
from support.fakes.echo_pipeline import SPEC, EchoInput
from support.fakes.echo_worker import echo_worker
from support.fakes.events import story
from support.fakes.known_runs import FakeRunDirectory, closed_run
from support.servers.stack import running_stack

MILESTONES = [event for event in story() if event.sequence is not None]
LATER = timedelta(seconds=30)
RULES = WorkflowRules(pipelines=(SPEC.name,))


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as client:
        await client.flushall()
        yield client


@pytest.fixture
def streams(redis: Redis) -> RedisRunStream:
    return RedisRunStream(redis)


@pytest.fixture(scope="module")
def own_temporal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A separate server, since the reconciler reads every run on it."""
    with running_stack(tmp_path_factory.mktemp("temporal"), "--only", "temporal") as stack:
        yield str(stack.endpoints.temporal)


@pytest.fixture
async def temporal(own_temporal: str) -> AsyncIterator[Client]:
    client = await connect(own_temporal, "default")
    async with echo_worker(client):
        yield client


@pytest.fixture
def reconciler(redis: Redis, streams: RedisRunStream, temporal: Client) -> Reconciler:
    gap_grace = timedelta(seconds=1)
    return Reconciler(redis, streams, TemporalRuns(temporal, RULES), {SPEC.name: SPEC}, gap_grace=gap_grace)


async def make_round(reconciler: Reconciler, now: datetime) -> None:
    assert await reconciler.lead()
    await reconciler.round(now)


async def start(temporal: Client, run_id: str, request: object) -> WorkflowHandle[object, object]:
    memo = {names.MEMO_TENANT: "acme", names.MEMO_STARTED_BY: "lan"}
    return await temporal.start_workflow("echo", request, id=run_id, task_queue="echo", memo=memo)


async def settled(reconciler: Reconciler, streams: RedisRunStream, temporal: Client, run_id: str) -> Snapshot:
    """The stream's snapshot once it has a terminal event; the rounds run at a later time."""

    async def listed() -> bool:
        query = f"WorkflowId = '{run_id}' AND ExecutionStatus != 'Running'"
        return [found async for found in temporal.list_workflows(query)] != []

    await eventually(listed, within_s=60)

    async def ended() -> Snapshot | None:
        await make_round(reconciler, datetime.now(UTC) + LATER)
        projected = await streams.snapshot(run_key("acme", run_id))
        return projected.snapshot if projected and projected.snapshot.ended_at else None

    snapshot = await eventually(ended, within_s=60, every_s=0.2)
    assert snapshot is not None
    return snapshot


async def test_a_terminated_run_gets_its_end(
    reconciler: Reconciler, streams: RedisRunStream, temporal: Client
) -> None:
    handle = await start(temporal, "terminated-1", EchoInput(text="hi", ask=True))
    await eventually(lambda: _asks(handle))
    await handle.terminate("no longer needed")
    snapshot = await settled(reconciler, streams, temporal, "terminated-1")
    assert (snapshot.status, snapshot.tenant, snapshot.approvals[0].status) == (
        "terminated",
        "acme",
        "cancelled",
    )
    last = (await streams.read("acme:terminated-1", None, 1)).epoch
    assert last
    assert (await streams.inbox("acme")).items == ()


async def test_a_run_whose_input_cannot_be_read_fails_with_the_reason(
    reconciler: Reconciler, streams: RedisRunStream, temporal: Client
) -> None:
    await start(temporal, "unreadable-1", {"text": 7})
    snapshot = await settled(reconciler, streams, temporal, "unreadable-1")
    assert (snapshot.status, snapshot.pipeline, snapshot.sequence) == ("failed", "echo", 1)
    assert snapshot.error is not None
    assert "EchoInput" in snapshot.error.message
    history = await streams.read("acme:unreadable-1", None)
    assert [frame.name for frame in history.frames] == ["run.failed"]


async def test_open_runs_are_restored_after_redis_lost_its_data(
    reconciler: Reconciler, streams: RedisRunStream, redis: Redis, temporal: Client
) -> None:
    handle = await start(temporal, "restored-1", EchoInput(text="hi", ask=True))
    await eventually(lambda: _asks(handle))
    await redis.flushall()

    async def restored() -> bool:
        await make_round(reconciler, datetime.now(UTC) + LATER)
        await redis.delete(CURSOR_KEY)
        return [item.approval_id for item in (await streams.inbox("acme")).items] == ["word"]

    await eventually(restored, within_s=60, every_s=0.2)
    projected = await streams.snapshot("acme:restored-1")
    assert projected is not None
    assert projected.snapshot.sequence == (await query_snapshot(handle)).sequence
    await handle.terminate()


async def test_a_gap_in_a_stream_is_repaired(
    reconciler: Reconciler, streams: RedisRunStream, redis: Redis, temporal: Client
) -> None:
    handle = await start(temporal, "run-1", EchoInput(text="hi", ask=True))

    async def asks() -> bool:
        return (await query_snapshot(handle)).sequence >= 5

    await eventually(asks)
    await make_round(reconciler, datetime.now(UTC))
    await streams.append(MILESTONES[2])

    async def whole() -> bool:
        await make_round(reconciler, datetime.now(UTC))
        projected = await streams.snapshot("acme:run-1")
        return projected is not None and projected.snapshot.sequence >= 5

    await eventually(whole, within_s=60, every_s=0.5)
    assert await streams.gaps(older_than=timedelta(0)) == []
    await handle.terminate()


async def test_only_one_reconciler_leads_and_a_deposed_one_cannot_move_the_cursor(
    redis: Redis, streams: RedisRunStream, temporal: Client
) -> None:
    one, two = (Reconciler(redis, streams, TemporalRuns(temporal), {}) for _ in range(2))
    assert [await one.lead(), await two.lead(), await one.lead()] == [True, False, True]
    await one.round(datetime.now(UTC))
    # As if `one` had stood still for longer than the lease lasts.
    await redis.delete(LEASE_KEYS.lease)
    assert await two.lead()
    await two.round(datetime.now(UTC))
    cursor = await redis.get(CURSOR_KEY)
    with pytest.raises(LeaseLost):
        await one.round(datetime.now(UTC) + LATER)
    assert await redis.get(CURSOR_KEY) == cursor
    assert [await one.lead(), await two.lead()] == [False, True]


async def test_the_loop_closes_a_terminated_run_and_releases_the_lease(
    redis: Redis, streams: RedisRunStream, temporal: Client
) -> None:
    """The loop as it runs in a gateway, on its own clock."""
    reconciler = Reconciler(redis, streams, TemporalRuns(temporal, RULES), {SPEC.name: SPEC})
    handle = await start(temporal, "terminated-2", EchoInput(text="hi", ask=True))
    await eventually(lambda: _asks(handle))
    running = asyncio.ensure_future(reconciler.run())
    try:
        await handle.terminate()
        await eventually(lambda: _told_end(streams, "terminated-2"), within_s=60)
    finally:
        await cancel_and_wait(running)
    assert await redis.exists(LEASE_KEYS.lease) == 0


async def test_the_cost_of_a_round_depends_on_closed_runs_only(redis: Redis, streams: RedisRunStream) -> None:
    runs = FakeRunDirectory(*(closed_run("running", run_id=f"open-{number}") for number in range(500)))
    runs.infos["ended-1"] = closed_run("terminated", run_id="ended-1", at=datetime.now(UTC))
    reconciler = Reconciler(redis, streams, runs, {SPEC.name: SPEC})
    await make_round(reconciler, datetime.now(UTC) + LATER)
    runs.queries.clear()
    for _ in range(3):
        await make_round(reconciler, datetime.now(UTC) + LATER)
    # One query a round for recently closed runs; no query about a run that is open or settled.
    assert len(runs.queries) == 3
    assert all(query.startswith("CloseTime >= ") for query in runs.queries)


async def test_a_terminated_run_that_is_listed_late_is_still_looked_for(
    redis: Redis, streams: RedisRunStream
) -> None:
    runs, now = FakeRunDirectory(), datetime.now(UTC)
    reconciler = Reconciler(redis, streams, runs, {SPEC.name: SPEC})
    for age_s in range(10):
        await make_round(reconciler, now + timedelta(seconds=age_s))
    sweeps = [query for query in runs.queries if "ExecutionStatus = 'Terminated' OR" in query]
    assert len(sweeps) == 2
    earliest = datetime.fromisoformat(sweeps[-1].split("'")[1])
    assert now - earliest >= timedelta(minutes=9)


async def test_a_run_is_listed_until_its_stream_has_its_end(redis: Redis, streams: RedisRunStream) -> None:
    """Rounds list the last seconds, so a run that just closed is listed again when its grace has passed."""
    now = datetime.now(UTC)
    runs = FakeRunDirectory()
    reconciler = Reconciler(redis, streams, runs, {SPEC.name: SPEC})
    await make_round(reconciler, now)
    runs.infos["ended-1"] = closed_run("terminated", run_id="ended-1", at=now)
    for age_s in (1, 2):
        await make_round(reconciler, now + timedelta(seconds=age_s))
    assert (await streams.read("acme:ended-1", None)).ended
    described = len(runs.described)
    await make_round(reconciler, now + timedelta(seconds=3))
    assert len(runs.described) == described


async def _asks(handle: WorkflowHandle[object, object]) -> bool:
    return (await query_snapshot(handle)).approvals != ()


async def _told_end(streams: RedisRunStream, run_id: str) -> bool:
    return (await streams.read(run_key("acme", run_id), None)).ended
