"""Run ids are unique within a tenant only; runs of a release with deployment-wide run ids are still found."""

import dataclasses
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx2
import pytest
from msgspec.structs import replace
from starlette.types import ASGIApp
from temporalio.client import Client, WorkflowHandle

from signalbox_core.ids import new_run_id, run_key
from signalbox_core.temporal import names
from signalbox_gateway.app import Gateway, Parts
from support.assertions.eventually import eventually
from support.drivers.api_calls import asked, ended, started
from support.drivers.sse import SseEvent
from support.fakes.echo_pipeline import EchoInput, word_digest
from support.fakes.events import story
from support.servers.gateway import client_of, secret_of
from support.servers.streams import http_server, reading


@dataclass
class Tenants:
    acme: httpx2.AsyncClient
    other: httpx2.AsyncClient


@pytest.fixture
async def tenants(app: ASGIApp) -> AsyncIterator[Tenants]:
    async with client_of(app) as acme, client_of(app, "stranger") as other:
        yield Tenants(acme, other)


async def start_older(temporal: Client, run_id: str, tenant: str = "acme") -> WorkflowHandle[object, object]:
    """Start a run as a release without run keys did."""
    return await temporal.start_workflow(
        "echo",
        EchoInput(text="older", ask=True),
        id=run_id,
        task_queue="echo",
        memo={names.MEMO_TENANT: tenant, names.MEMO_STARTED_BY: "lan", names.MEMO_REQUEST_DIGEST: "older"},
    )


async def test_both_start_decide_and_end_their_own(tenants: Tenants, worker: None) -> None:
    run_id = new_run_id("echo")
    for caller, text in ((tenants.acme, "ours"), (tenants.other, "theirs")):
        assert await started(caller, run_id=run_id, text=text, ask=True) == run_id
        again = await caller.post(
            "/v1/runs", json={"pipeline": "echo", "run_id": run_id, "input": {"text": text, "ask": True}}
        )
        assert again.status_code == 200
        await asked(caller, run_id)

    decision = await tenants.other.post(
        f"/v1/runs/{run_id}/approvals/word/decision",
        json={"digest": word_digest("theirs"), "answer": {"word": "them"}},
    )
    assert decision.status_code == 200
    await ended(tenants.other, run_id)
    mine = (await tenants.acme.get(f"/v1/runs/{run_id}")).json()
    assert (mine["status"], mine["approvals"][0]["status"]) == ("running", "pending")
    assert (await tenants.acme.get(f"/v1/runs/{run_id}/result")).json()["code"] == "not_finished"
    cancelled = await tenants.acme.post(f"/v1/runs/{run_id}/cancel", json={"reason": "enough"})
    assert cancelled.status_code == 202
    assert (await ended(tenants.acme, run_id))["status"] == "cancelled"
    assert (await tenants.other.get(f"/v1/runs/{run_id}/result")).json() == {"text": "them"}


async def test_the_lists_have_only_the_own_run(tenants: Tenants, worker: None) -> None:
    run_id = new_run_id("echo")
    await started(tenants.acme, run_id=run_id)
    await started(tenants.other, run_id=run_id, ask=True)
    await ended(tenants.acme, run_id)

    async def listed(caller: httpx2.AsyncClient, status: str) -> list[str]:
        found = (await caller.get("/v1/runs", params={"status": status, "limit": 200})).json()["runs"]
        return [run["url"] for run in found if run["run_id"] == run_id]

    async def is_settled() -> bool:
        return bool(await listed(tenants.acme, "completed")) and bool(await listed(tenants.other, "running"))

    await eventually(is_settled, within_s=60)
    assert await listed(tenants.acme, "completed") == [f"/v1/runs/{run_id}"]
    assert await listed(tenants.acme, "running") == []
    assert await listed(tenants.other, "completed") == []
    await tenants.other.post(f"/v1/runs/{run_id}/cancel", json={})


async def test_each_listens_to_its_own_stream(parts: Parts) -> None:
    await parts.redis.flushdb()
    ours = [event for event in story("run-1") if event.sequence is not None]
    theirs = [replace(event, tenantid="other", id=f"other-{event.id}") for event in ours]
    settled = dataclasses.replace(parts, settings=replace(parts.settings, drain_s=1))
    gateway = Gateway(settled)
    async with http_server(gateway.app(), gateway.drain) as (_, origin):
        await parts.streams.append_many([*ours[:6], *theirs])
        for path in ("/v1/runs/run-1/stream", "/v1/stream?run=run-1"):
            async with reading(origin, path, bearing("stranger")) as reader:
                await reader.until_over()
            assert ids_of(reader.events) == [event.id for event in theirs]
        async with (
            reading(origin, "/v1/runs/run-1/stream?history=1", bearing("admin")) as one,
            reading(origin, "/v1/stream?all=1", bearing("admin")) as every,
        ):
            await one.until(1 + 6)
            await every.until(2)
            await parts.streams.append_many(ours[6:])
            await one.until_over()
            await eventually(lambda: any(event.event == "end" for event in every.events))
        assert ids_of(one.events) == [event.id for event in ours]
        assert every.events[0].json["runs"] == ["run-1"]
        assert ids_of(every.events) == [event.id for event in ours[6:]]


def bearing(role: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret_of(role)}"}


def ids_of(events: list[SseEvent]) -> list[object]:
    return [event.json["id"] for event in events if event.event == "message"]


async def test_an_older_run_is_found_by_its_tenant_alone(
    tenants: Tenants, temporal: Client, worker: None
) -> None:
    run_id = new_run_id("echo")
    await start_older(temporal, run_id)
    assert (await tenants.acme.get(f"/v1/runs/{run_id}")).status_code == 200
    assert (await tenants.other.get(f"/v1/runs/{run_id}")).json()["code"] == "unknown_run"
    taken = await tenants.acme.post(
        "/v1/runs", json={"pipeline": "echo", "run_id": run_id, "input": {"text": "new"}}
    )
    assert (taken.status_code, taken.json()["code"]) == (409, "run_id_taken")
    assert await started(tenants.other, run_id=run_id) == run_id
    for verb in ("pause", "resume"):
        assert (await tenants.acme.post(f"/v1/runs/{run_id}/{verb}")).status_code == 202
    await asked(tenants.acme, run_id)

    decision = await tenants.acme.post(
        f"/v1/runs/{run_id}/approvals/word/decision",
        json={"digest": word_digest("older"), "answer": {"word": "late"}},
    )

    assert decision.status_code == 200
    await ended(tenants.acme, run_id)
    assert (await tenants.acme.get(f"/v1/runs/{run_id}/result")).json() == {"text": "late"}


async def test_an_older_run_is_cancelled_by_its_tenant_alone(
    tenants: Tenants, temporal: Client, worker: None
) -> None:
    run_id = new_run_id("echo")
    handle = await start_older(temporal, run_id)
    await asked(tenants.acme, run_id)
    assert (await tenants.other.post(f"/v1/runs/{run_id}/cancel", json={})).status_code == 404
    assert (await handle.describe()).close_time is None
    assert (await tenants.acme.post(f"/v1/runs/{run_id}/cancel", json={})).status_code == 202
    assert (await ended(tenants.acme, run_id))["status"] == "cancelled"


async def test_a_run_is_started_under_its_run_key(tenants: Tenants, temporal: Client, worker: None) -> None:
    run_id = await started(tenants.acme)
    found = await temporal.get_workflow_handle(run_key("acme", run_id)).describe()
    assert found.id == f"acme:{run_id}"
