"""Observation of a real Temporal server and a real Redis."""

import itertools
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from redis.asyncio import Redis
from temporalio.api.enums.v1 import TaskQueueType, WorkerStatus
from temporalio.api.taskqueue.v1 import RateLimit
from temporalio.api.worker.v1 import WorkerHeartbeat
from temporalio.api.workflowservice.v1 import UpdateTaskQueueConfigRequest
from temporalio.client import Client
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.worker import Worker

from signalbox_autoscaler.model import Launch, LaunchState, QueueSnapshot, ScalingPolicy, Spending
from signalbox_autoscaler.observe.observer import (
    CACHED_FOR,
    STALE_AFTER,
    Observation,
    Observer,
    build_snapshot,
)
from signalbox_autoscaler.observe.temporal_metrics import TemporalMetrics, parse_heartbeat
from signalbox_core.redis.client import open_redis
from signalbox_core.scaling.burst import burst_identity, retire_key
from signalbox_core.scaling.hints import Hints
from signalbox_core.temporal import connect
from support.assertions.eventually import eventually
from support.rate.activities import nothing
from support.sample.contract import SPEC
from support.servers.backends import free_port

NOTHING_SPENT = Spending(hour={}, day={})


@pytest.fixture
async def client(temporal_address: str) -> Client:
    return await connect(temporal_address, "default")


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with open_redis(redis_url) as opened:
        yield opened


def name(kind: str) -> str:
    return f"{kind}-{uuid.uuid4().hex[:8]}"


def snapshot_of(
    observation: Observation,
    queue: str,
    now: datetime,
    policy: ScalingPolicy | None = None,
    *launches: Launch,
) -> QueueSnapshot:
    return build_snapshot(
        observation, policy or ScalingPolicy(), queue, now=now, launches=launches, spent=NOTHING_SPENT
    )


async def test_runs_without_a_worker_are_a_backlog(client: Client, redis: Redis) -> None:
    queue = name("alone")
    for number in range(3):
        await client.start_workflow(SPEC.name, {}, id=f"{queue}-{number}", task_queue=queue)
    observer = Observer(TemporalMetrics(client), redis, {queue})

    async def backlog_snapshot() -> QueueSnapshot | None:
        now = datetime.now(UTC)
        found = snapshot_of(await observer.observe(now + CACHED_FOR), queue, now)
        return found if found.workflow_tasks == 3 else None

    found = await eventually(backlog_snapshot, within_s=30)
    assert (found.workers, found.activities, found.backlog_stale, found.workers_stale, found.hints_stale) == (
        (),
        0,
        False,
        False,
        False,
    )
    for number in range(3):
        await client.get_workflow_handle(f"{queue}-{number}").terminate()


async def test_the_queue_of_a_worker_is_discovered(temporal_address: str, redis: Redis) -> None:
    runtime = Runtime(telemetry=TelemetryConfig(), worker_heartbeat_interval=timedelta(seconds=1))
    client = await connect(temporal_address, "default", runtime=runtime)
    queue = name("found")
    observer = Observer(TemporalMetrics(client), redis, ())

    async def snapshot_with_worker() -> QueueSnapshot | None:
        now = datetime.now(UTC)
        found = snapshot_of(await observer.observe(now), queue, now)
        return found if found.workers else None

    async with Worker(client, task_queue=queue, activities=[nothing], max_concurrent_activities=7):
        found = await eventually(snapshot_with_worker)
    assert (found.workers[0].slots, found.workers[0].used, found.workers[0].is_burst) == (7, 0, False)
    assert queue in observer.queues


async def test_a_worker_without_heartbeats_is_not_read_as_no_worker(
    temporal_address: str, redis: Redis
) -> None:
    silent = Runtime(telemetry=TelemetryConfig(), worker_heartbeat_interval=None)
    client = await connect(temporal_address, "default", runtime=silent)
    queue = name("silent")
    observer = Observer(TemporalMetrics(client), redis, {queue})
    before = await observer.observe(datetime.now(UTC))
    assert not snapshot_of(before, queue, datetime.now(UTC)).workers_stale

    passes = itertools.count(1)

    async def missing_heartbeats() -> Observation | None:
        # Each pass has a later time than the one before, so that the statistics are not cached.
        observation = await observer.observe(datetime.now(UTC) + CACHED_FOR * next(passes))
        return observation if queue in observation.without_heartbeats else None

    async with Worker(client, task_queue=queue, activities=[nothing]):
        observation = await eventually(missing_heartbeats)
    assert snapshot_of(observation, queue, datetime.now(UTC)).workers_stale


async def test_statistics_are_read_once_in_five_seconds(client: Client, redis: Redis) -> None:
    queues = [name("cached") for _ in range(3)]
    temporal = TemporalMetrics(client)
    observer, now = Observer(temporal, redis, queues), datetime.now(UTC)
    calls = []
    for after_s in (0, 1, 4.9, 5, 6):
        before = temporal.calls
        await observer.observe(now + timedelta(seconds=after_s))
        calls.append(temporal.calls - before)
    others = len(observer.queues) - len(queues)
    assert calls == [1 + 2 * (3 + others), 1, 1, 1 + 2 * (3 + others), 1]


async def test_polling_workers_costs_one_call(client: Client, redis: Redis) -> None:
    temporal = TemporalMetrics(client)
    await Observer(temporal, redis, {name("polled")}).poll_workers(datetime.now(UTC))
    assert temporal.calls == 1


async def test_a_rate_limit_set_in_temporal_is_observed(client: Client, redis: Redis) -> None:
    queue = name("limited")
    limit = UpdateTaskQueueConfigRequest.RateLimitUpdate(
        rate_limit=RateLimit(requests_per_second=7.5), reason="test"
    )
    await client.workflow_service.update_task_queue_config(
        UpdateTaskQueueConfigRequest(
            namespace="default",
            identity="test",
            task_queue=queue,
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
            update_queue_rate_limit=limit,
        )
    )
    other, now = name("free"), datetime.now(UTC)
    observation = await Observer(TemporalMetrics(client), redis, {queue, other}).observe(now)
    assert snapshot_of(observation, queue, now).effective_rate_per_s == 7.5
    assert snapshot_of(observation, other, now).effective_rate_per_s is None


async def test_the_hints_of_a_queue_are_summed(client: Client, redis: Redis) -> None:
    queue, hint_store = name("hinted"), Hints(redis)
    await hint_store.publish(queue, "run-1", remaining=100, max_in_flight=8)
    await hint_store.publish(queue, "run-2", remaining=50, max_in_flight=4, max_rate_per_s=2)
    now = datetime.now(UTC)

    found = snapshot_of(await Observer(TemporalMetrics(client), redis, {queue}).observe(now), queue, now)

    assert (found.hint_remaining, found.hint_max_in_flight, found.hint_max_rate_per_s) == (150, 12, None)


async def test_a_part_that_cannot_be_read_is_kept_and_marked_stale(client: Client, redis: Redis) -> None:
    queue, now = name("stale"), datetime.now(UTC)
    async with open_redis(f"redis://127.0.0.1:{free_port()}/0") as unavailable:
        observation = await Observer(TemporalMetrics(client), unavailable, {queue}).observe(now)
        found = snapshot_of(observation, queue, now)
    assert (found.hints_stale, found.workers_stale, found.backlog_stale) == (True, False, False)
    later = snapshot_of(observation, queue, now + STALE_AFTER + timedelta(seconds=1))
    assert (later.workers_stale, later.backlog_stale) == (True, True)


def heartbeat(
    identity: str, at: datetime, status: WorkerStatus.ValueType = WorkerStatus.WORKER_STATUS_RUNNING
) -> WorkerHeartbeat:
    found = WorkerHeartbeat(
        worker_identity=identity, worker_instance_key="0123456789", task_queue="q", status=status
    )
    found.heartbeat_time.FromDatetime(at)
    found.activity_task_slots_info.current_used_slots = 4
    found.activity_task_slots_info.current_available_slots = 6
    return found


def test_heartbeats_are_parsed() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    base, burst = (
        parse_heartbeat(heartbeat("1@host", now), now),
        parse_heartbeat(heartbeat(burst_identity("l-1", 2), now), now),
    )
    assert base is not None
    assert burst is not None
    assert (base.identity, base.slots, base.used, base.is_burst) == ("1@host#01234567", 10, 4, False)
    assert (burst.identity, burst.launch_id, burst.used, burst.is_burst) == ("burst:l-1:2", "l-1", 4, True)
    leaving = parse_heartbeat(heartbeat("1@host", now, WorkerStatus.WORKER_STATUS_SHUTTING_DOWN), now)
    assert leaving is not None
    assert leaving.retiring
    assert parse_heartbeat(heartbeat("1@host", now, WorkerStatus.WORKER_STATUS_SHUTDOWN), now) is None
    assert parse_heartbeat(heartbeat("1@host", now - timedelta(minutes=4)), now) is None


async def test_a_burst_worker_has_the_slots_of_its_launch_and_its_retirement(
    client: Client, redis: Redis
) -> None:
    now, launch_id = datetime.now(UTC), name("l")
    identity = burst_identity(launch_id, 0)
    worker = parse_heartbeat(heartbeat(identity, now), now)
    assert worker is not None
    observation = Observation(workers={"q": [worker]}, workers_at=now, retired=frozenset({identity}))
    launch = Launch(
        launch_id=launch_id,
        queue="q",
        workers=1,
        slots=33,
        requested_at=now,
        eta_at=now,
        state=LaunchState.RUNNING,
        reserved=Decimal(1),
    )

    found = snapshot_of(observation, "q", now, None, launch).workers[0]
    orphan = snapshot_of(observation, "q", now, ScalingPolicy(slots_per_worker=20)).workers[0]

    assert (found.slots, found.retiring) == (33, True)
    assert orphan.slots == 20
    assert retire_key(identity).endswith(f"{{{identity}}}")
