"""A burst worker as a process: it runs activities, reports its load, and exits without losing work."""

import asyncio
import signal
import uuid
from collections.abc import AsyncIterator
from datetime import UTC
from pathlib import Path

import pytest
from temporalio.api.worker.v1 import WorkerHeartbeat
from temporalio.api.workflowservice.v1 import ListWorkersRequest, SetWorkerDeploymentCurrentVersionRequest
from temporalio.client import Client, WorkflowHandle

from signalbox_core.redis.client import open_redis
from signalbox_core.scaling.burst import burst_identity, retire_key
from signalbox_core.temporal import connect
from signalbox_core.temporal.names import MEMO_TENANT
from support.assertions.eventually import eventually
from support.installed.nap.contract import NapInput, NapResult
from support.servers.nap_worker import QUEUE, nap_environment, nap_worker

FOREVER = 3_600


@pytest.fixture
async def client(temporal_address: str) -> Client:
    return await connect(temporal_address, "default")


@pytest.fixture
async def base(temporal_address: str, tmp_path: Path) -> AsyncIterator[None]:
    """A base worker of one activity slot: it runs the workflows."""
    async with nap_worker(
        nap_environment(tmp_path, temporal_address, max_activities=1), tmp_path / "base.log"
    ):
        yield


async def start(client: Client, request: NapInput) -> WorkflowHandle[object, NapResult]:
    return await client.start_workflow(
        "nap",
        request,
        id=f"nap-{uuid.uuid4().hex[:8]}",
        task_queue=QUEUE,
        memo={MEMO_TENANT: "acme"},
        result_type=NapResult,
    )


async def heartbeat(client: Client, identity: str) -> WorkerHeartbeat | None:
    request = ListWorkersRequest(namespace="default", query=f'WorkerIdentity = "{identity}"')
    found = [
        info.worker_heartbeat for info in (await client.workflow_service.list_workers(request)).workers_info
    ]
    return max(found, key=lambda beat: beat.heartbeat_time.ToDatetime(UTC)) if found else None


async def naps_served_by(handle: WorkflowHandle[object, NapResult], identity: str) -> int:
    history = await handle.fetch_history()
    started = [event.activity_task_started_event_attributes for event in history.events]
    return sum(attributes.identity == identity for attributes in started)


def new_launch() -> str:
    return f"l-{uuid.uuid4().hex[:8]}"


@pytest.mark.usefixtures("base")
async def test_it_shows_how_busy_it_is_and_leaves_when_it_is_idle(
    client: Client, temporal_address: str, tmp_path: Path
) -> None:
    launch = new_launch()
    environment = nap_environment(
        tmp_path, temporal_address, max_activities=40, burst_launch=launch, burst_index=3, burst_idle_s=2
    )
    async with nap_worker(environment, tmp_path / "burst.log") as process:
        # Three rounds, so that all slots are in use for longer than the interval of heartbeats.
        handle = await start(client, NapInput(naps=120, shortest_s=2, longest_s=3))

        async def is_busy() -> bool:
            beat = await heartbeat(client, burst_identity(launch, 3))
            return beat is not None and beat.activity_task_slots_info.current_used_slots == 40

        await eventually(is_busy, within_s=60)
        assert await handle.result() == NapResult(naps=120, attempts=120)
        assert await asyncio.wait_for(process.wait(), 60) == 0
    assert '"reason":"idle"' in (tmp_path / "burst.log").read_text().replace(": ", ":")


@pytest.mark.usefixtures("base")
async def test_a_retired_worker_drains_and_takes_nothing_new(
    client: Client, temporal_address: str, redis_url: str, tmp_path: Path
) -> None:
    launch = new_launch()
    environment = nap_environment(
        tmp_path, temporal_address, redis_url, max_activities=10, burst_launch=launch, burst_idle_s=FOREVER
    )
    async with nap_worker(environment, tmp_path / "burst.log") as process, open_redis(redis_url) as redis:
        handle = await start(client, NapInput(naps=30, shortest_s=3, longest_s=4))
        await eventually(lambda: is_using(client, launch, 10), within_s=60)
        await redis.set(retire_key(burst_identity(launch, 0)), "1", ex=60)

        assert await asyncio.wait_for(process.wait(), 60) == 0
        await handle.terminate()
    assert "retired" in (tmp_path / "burst.log").read_text()


@pytest.mark.usefixtures("base")
async def test_sigterm_drains_what_runs(client: Client, temporal_address: str, tmp_path: Path) -> None:
    launch = new_launch()
    environment = nap_environment(
        tmp_path, temporal_address, max_activities=10, burst_launch=launch, burst_idle_s=FOREVER
    )
    async with nap_worker(environment, tmp_path / "burst.log") as process:
        handle = await start(client, NapInput(naps=11, shortest_s=6, longest_s=8, timeout_s=300))
        await eventually(lambda: is_using(client, launch, 10), within_s=60)
        process.send_signal(signal.SIGTERM)

        assert await asyncio.wait_for(process.wait(), 60) == 0
        # With a timeout of five minutes, a nap that was cut off would not be back in time.
        assert await asyncio.wait_for(handle.result(), 120) == NapResult(naps=11, attempts=11)


async def test_it_runs_no_workflow(client: Client, temporal_address: str, tmp_path: Path) -> None:
    launch = new_launch()
    environment = nap_environment(tmp_path, temporal_address, burst_launch=launch, burst_idle_s=2)
    async with nap_worker(environment, tmp_path / "burst.log") as process:
        handle = await start(client, NapInput(naps=1))
        assert await asyncio.wait_for(process.wait(), 60) == 0
        history = await handle.fetch_history()
        await handle.terminate()
    assert [event.event_type for event in history.events] == [1, 5], (
        "the first workflow task is still waiting"
    )


async def is_using(client: Client, launch: str, slots: int) -> bool:
    beat = await heartbeat(client, burst_identity(launch, 0))
    return beat is not None and beat.activity_task_slots_info.current_used_slots == slots


@pytest.fixture
async def version(client: Client) -> AsyncIterator[dict[str, str]]:
    """Settings of a build; afterwards the queue is unversioned again."""
    name = f"worker-{uuid.uuid4().hex[:8]}"
    yield {"deployment_name": name, "build_id": "b1"}
    unset = SetWorkerDeploymentCurrentVersionRequest(namespace="default", deployment_name=name, build_id="")
    await client.workflow_service.set_worker_deployment_current_version(unset)


async def test_the_first_version_is_current_and_a_burst_of_it_serves_its_runs(
    client: Client, temporal_address: str, tmp_path: Path, version: dict[str, str]
) -> None:
    launch = new_launch()
    base = nap_environment(tmp_path, temporal_address, max_activities=1, **version)
    burst = nap_environment(
        tmp_path, temporal_address, max_activities=20, burst_launch=launch, burst_idle_s=2, **version
    )
    async with nap_worker(base, tmp_path / "base.log"), nap_worker(burst, tmp_path / "burst.log") as process:
        handle = await start(client, NapInput(naps=40, shortest_s=0.5, longest_s=1))
        assert await asyncio.wait_for(handle.result(), 120) == NapResult(naps=40, attempts=40)
        # History says who served each nap; a heartbeat is as old as its interval.
        assert await naps_served_by(handle, burst_identity(launch, 0)) > 20
        assert await asyncio.wait_for(process.wait(), 60) == 0
