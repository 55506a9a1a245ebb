"""Task queues and workers for operators of the deployment; API keys for admins, of their tenant only."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import msgspec
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from starlette.applications import Starlette
from temporalio.api.deployment.v1 import WorkerDeploymentVersion
from temporalio.api.enums.v1 import WorkerStatus
from temporalio.api.worker.v1 import WorkerHeartbeat, WorkerHostInfo, WorkerSlotsInfo
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from signalbox_core.errors import Unavailable
from signalbox_gateway.app import Parts
from signalbox_gateway.runs.fleet import FleetReader, WorkerView, worker_of
from support.assertions.eventually import eventually
from support.drivers.api_calls import started
from support.fakes.echo_worker import echo_worker
from support.servers.gateway import client_of, secret_of

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


async def get(app: Starlette, role: str, path: str) -> httpx2.Response:
    async with client_of(app, role) as caller:
        return await caller.get(path)


async def test_a_queue_has_its_backlog_and_its_pollers(app: Starlette, temporal: Client) -> None:
    async def queue() -> dict[str, Any]:
        reply = await get(app, "deployer", "/v1/system/queues")
        assert reply.status_code == 200, reply.text
        return next(found for found in reply.json()["queues"] if found["queue"] == "echo")

    async def waiting() -> dict[str, Any] | None:
        found = await queue()
        return found if found["workflow_tasks"] else None

    async def polled() -> dict[str, Any] | None:
        found = await queue()
        return found if found["pollers"] and not found["workflow_tasks"] else None

    async with client_of(app) as caller:
        await started(caller, text="hello")
    assert (await eventually(waiting))["oldest_s"] >= 0
    async with echo_worker(temporal):
        assert (await eventually(polled))["polled_at"] is not None


async def test_when_temporal_fails_no_call_is_left_over(
    temporal: Client, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = 0

    async def describe(*_: object, **__: object) -> None:
        nonlocal running
        running += 1
        try:
            if running == 2:
                raise RPCError("down", RPCStatusCode.UNAVAILABLE, b"")
            await asyncio.Event().wait()
        finally:
            running -= 1

    monkeypatch.setattr(temporal.workflow_service, "describe_task_queue", describe)
    echo = parts.pipelines["echo"]
    specs = [msgspec.structs.replace(echo, task_queue=f"queue-{number}") for number in range(20)]
    with pytest.raises(Unavailable):
        await FleetReader(temporal, specs, deadline=timedelta(seconds=1)).queues()
    assert running == 0


async def test_the_workers_are_listed(app: Starlette) -> None:
    reply = await get(app, "deployer", "/v1/system/workers")

    assert reply.status_code == 200, reply.text
    assert set(reply.json()) == {"workers"}


async def test_api_keys_are_those_of_the_tenant_without_any_secret(app: Starlette, parts: Parts) -> None:
    own, foreign = [await get(app, role, "/v1/api-keys") for role in ("admin", "stranger")]

    listed = {key["id"] for key in own.json()["keys"]}
    assert listed == {key.id for key in parts.keys.all if key.tenant == "acme"}
    assert listed.isdisjoint(key["id"] for key in foreign.json()["keys"])
    assert set(own.json()["keys"][0]) == {"id", "name", "kind", "roles", "created_at", "expires_at"}
    for key in parts.keys.all:
        assert key.sha256 not in own.text
    assert secret_of("admin") not in own.text


@pytest.mark.parametrize("path", ["/v1/system/queues", "/v1/system/workers"])
async def test_an_admin_of_a_tenant_does_not_see_what_all_tenants_share(app: Starlette, path: str) -> None:
    assert (await get(app, "admin", path)).status_code == 403


def heartbeat(status: WorkerStatus.ValueType, *, age: timedelta, build: str = "b1") -> WorkerHeartbeat:
    started_at, sent_at = Timestamp(), Timestamp()
    started_at.FromDatetime(NOW - timedelta(hours=1))
    sent_at.FromDatetime(NOW - age)
    return WorkerHeartbeat(
        worker_identity="7@host",
        host_info=WorkerHostInfo(host_name="host"),
        task_queue="ads",
        deployment_version=WorkerDeploymentVersion(
            deployment_name="workers" if build else "", build_id=build
        ),
        status=status,
        start_time=started_at,
        heartbeat_time=sent_at,
        activity_task_slots_info=WorkerSlotsInfo(current_available_slots=3, current_used_slots=5),
    )


def test_a_worker_has_its_build_its_slots_and_its_last_heartbeat() -> None:
    sent = heartbeat(WorkerStatus.WORKER_STATUS_RUNNING, age=timedelta(seconds=40))

    assert worker_of(sent, NOW) == WorkerView(
        identity="7@host",
        queue="ads",
        host="host",
        build="workers.b1",
        status="running",
        slots=8,
        used=5,
        started_at=NOW - timedelta(hours=1),
        heartbeat_at=NOW - timedelta(seconds=40),
    )


@pytest.mark.parametrize(
    ("status", "age", "expected"),
    [
        pytest.param(WorkerStatus.WORKER_STATUS_SHUTTING_DOWN, timedelta(0), "stopping", id="stopping"),
        pytest.param(WorkerStatus.WORKER_STATUS_SHUTDOWN, timedelta(0), None, id="shut down"),
        pytest.param(WorkerStatus.WORKER_STATUS_RUNNING, timedelta(minutes=4), None, id="lost"),
    ],
)
def test_a_worker_that_stops_is_shown_and_one_that_is_gone_is_not(
    status: WorkerStatus.ValueType, age: timedelta, expected: str | None
) -> None:
    found = worker_of(heartbeat(status, age=age, build=""), NOW)

    assert (found.status if found else None) == expected
    assert found is None or found.build is None
