"""Plain workflows in the API: lists, state, input, result and cancel."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from msgspec.structs import replace as with_settings
from temporalio.client import Client
from temporalio.common import SearchAttributePair, TypedSearchAttributes

from signalbox_core.signatures import Algorithm
from signalbox_core.temporal.names import MEMO_TENANT, SEARCH_TENANT
from signalbox_gateway.app import Gateway, Parts
from signalbox_worker.plugin import SignalboxPlugin
from support.assertions.eventually import eventually
from support.drivers.plain_worker import PlainWorker
from support.drivers.signed_requests import new_private_key, write_private_key
from support.drivers.sse import sequences
from support.fakes.stub_receiver import stub_receiver
from support.plain.orders import DeliveryWorkflow, Order, OrderWorkflow
from support.servers.gateway import client_of
from support.servers.streams import reading, serving

WITHIN_S = 40.0
ORDER = Order(customer="Lan", items=["tea"])
Json = dict[str, object]


@pytest.fixture
async def plain_worker(temporal_address: str, tmp_path: Path, temporal: Client) -> AsyncIterator[PlainWorker]:
    assert temporal.namespace == "default"
    key = write_private_key(tmp_path / "orders.pem", new_private_key(Algorithm.ED25519))
    async with stub_receiver() as receiver:
        plugin = SignalboxPlugin(
            tenant="acme", receiver_url=receiver.url, keyid="orders", private_key_file=str(key)
        )
        worker = PlainWorker(await Client.connect(temporal_address), plugin, receiver)
        async with worker.running():
            yield worker


@pytest.fixture
def gateway(parts: Parts, plain_worker: PlainWorker) -> Gateway:
    queues = (f"{plain_worker.task_queue}=acme",)
    return Gateway(replace(parts, settings=with_settings(parts.settings, workflow_queues=queues)))


async def started(
    worker: PlainWorker,
    *,
    tenant: str | None = None,
    memo: dict[str, str] | None = None,
    prefix: str = "order/",
) -> str:
    workflow_id = f"{prefix}{uuid.uuid4().hex[:8]}"
    pairs = [SearchAttributePair(SEARCH_TENANT, tenant)] if tenant else []
    await worker.client.start_workflow(
        OrderWorkflow.run,
        ORDER,
        id=workflow_id,
        task_queue=worker.task_queue,
        search_attributes=TypedSearchAttributes(pairs),
        memo=memo,
    )
    return workflow_id.replace("/", "~2F").replace(":", "~3A")


async def until_status(caller: httpx2.AsyncClient, run_id: str, status: str) -> Json:
    async def snapshot() -> Json | None:
        body: Json = (await caller.get(f"/v1/runs/{run_id}")).json()
        return body if body.get("status") == status else None

    return await eventually(snapshot, within_s=WITHIN_S)


async def until_listed(caller: httpx2.AsyncClient, run_id: str, **query: str) -> Json:
    async def listed() -> Json | None:
        page = (await caller.get("/v1/runs", params={"limit": "100", **query})).json()
        return next((run for run in page["runs"] if run["run_id"] == run_id), None)

    return await eventually(listed, within_s=WITHIN_S)


async def project(worker: PlainWorker, parts: Parts, run_id: str, last: str) -> None:
    """Append the run's events to its stream, as the receiver does."""
    await eventually(lambda: worker.events(run_id)[-1:] == [last], within_s=WITHIN_S)
    await parts.streams.append_many(worker.milestones(run_id))


async def test_a_plain_workflow_is_listed_and_read_before_it_has_a_stream(
    gateway: Gateway, plain_worker: PlainWorker
) -> None:
    run_id = await started(plain_worker)
    async with client_of(gateway.app()) as caller:
        item = await until_listed(caller, run_id)
        by_type = await until_listed(caller, run_id, q="pipeline:OrderWorkflow status:running")
        given = (await caller.get(f"/v1/runs/{run_id}/input")).json()
        snapshot = await until_status(caller, run_id, "running")

    assert (item["pipeline"], item["status"]) == ("OrderWorkflow", "running")
    assert by_type == item
    assert given["input"] == {"customer": "Lan", "items": ["tea"]}
    assert (snapshot["plain"], snapshot["pipeline"]) == (True, "OrderWorkflow")


async def test_the_stream_of_a_plain_workflow_has_its_steps_and_result(
    gateway: Gateway, plain_worker: PlainWorker, parts: Parts
) -> None:
    run_id = await started(plain_worker)
    await plain_worker.client.get_workflow_handle(run_id.replace("~2F", "/")).signal("set_address", "Huế")
    await project(plain_worker, parts, run_id, "run.completed")
    async with client_of(gateway.app()) as caller:
        snapshot = await until_status(caller, run_id, "completed")
        result = await caller.get(f"/v1/runs/{run_id}/result")

    steps = snapshot["steps"]
    assert isinstance(steps, list)
    assert [(step["title"], step["status"]) for step in steps] == [
        ("Reserve stock", "completed"),
        ("Pack item", "completed"),
    ]
    assert result.json() == {"customer": "Lan", "parcels": 1}


async def test_a_reader_of_a_plain_workflow_resumes_where_it_stopped(
    plain_worker: PlainWorker, parts: Parts
) -> None:
    run_id = await started(plain_worker)
    await plain_worker.client.get_workflow_handle(run_id.replace("~2F", "/")).signal("set_address", "Huế")
    await eventually(lambda: plain_worker.events(run_id)[-1:] == ["run.completed"], within_s=WITHIN_S)
    milestones = plain_worker.milestones(run_id)
    await parts.streams.append_many(milestones[:2])
    path = f"/v1/runs/{run_id}/stream"
    async with serving(parts.redis) as gateway:
        async with reading(gateway.origin, path) as first:
            await first.until(1, within_s=WITHIN_S)
            await parts.streams.append(milestones[2])
            await first.until(2, within_s=WITHIN_S)
        await parts.streams.append_many(milestones[3:])
        async with reading(gateway.origin, path, {"last-event-id": first.ids[-1]}) as second:
            events = await second.until_over(within_s=WITHIN_S)

    assert first.names == ["snapshot", "message"]
    assert sequences(events) == [event.sequence for event in milestones[3:]]
    assert "reset" not in second.names


async def test_a_plain_workflow_is_cancelled_but_neither_paused_nor_retried(
    gateway: Gateway, plain_worker: PlainWorker, parts: Parts
) -> None:
    run_id = f"parcel-{uuid.uuid4().hex[:8]}"
    handle = await plain_worker.client.start_workflow(
        DeliveryWorkflow.run, ORDER, id=run_id, task_queue=plain_worker.task_queue
    )
    await project(plain_worker, parts, run_id, "step.started")
    async with client_of(gateway.app()) as caller:
        refused = [
            await caller.post(f"/v1/runs/{run_id}/{verb}", json=body)
            for verb, body in (
                ("pause", {}),
                ("resume", {}),
                ("retry", {"from": "start"}),
                ("events/parcel.sent", {"event_id": "e-1", "data": {}}),
            )
        ]
        accepted = await caller.post(f"/v1/runs/{run_id}/cancel", json={"reason": "moved"})
        await project(plain_worker, parts, run_id, "run.cancelled")
        snapshot = await until_status(caller, run_id, "cancelled")

    assert [(answer.status_code, answer.json()["code"]) for answer in refused] == [
        (409, "plain_workflow")
    ] * 4
    assert (accepted.status_code, snapshot["status"]) == (202, "cancelled")
    signals = [
        event
        for event in (await handle.fetch_history()).events
        if event.HasField("workflow_execution_signaled_event_attributes")
    ]
    assert signals == []


async def test_a_plain_workflow_belongs_to_the_tenant_that_its_start_names(
    gateway: Gateway, plain_worker: PlainWorker
) -> None:
    run_id = await started(plain_worker, tenant="other")
    app = gateway.app()
    async with client_of(app, "stranger") as owner, client_of(app) as caller:
        await until_listed(owner, run_id)
        foreign = await caller.get(f"/v1/runs/{run_id}")
        page = (await caller.get("/v1/runs", params={"limit": "100"})).json()

    assert foreign.status_code == 404
    assert run_id not in [run["run_id"] for run in page["runs"]]


async def test_a_plain_workflow_of_a_tenant_without_task_queues_is_found_by_its_type(
    parts: Parts, plain_worker: PlainWorker
) -> None:
    run_id = await started(plain_worker, tenant="acme")
    async with client_of(Gateway(parts).app()) as caller:
        await until_listed(caller, run_id)
        by_filter = await until_listed(caller, run_id, pipeline="OrderWorkflow")
        by_search = await until_listed(caller, run_id, q="pipeline:OrderWorkflow pipeline:echo")
        others = (await caller.get("/v1/runs", params={"pipeline": "echo", "limit": "100"})).json()["runs"]
        refused = [
            await caller.get("/v1/runs", params=query)
            for query in ({"pipeline": "OrderWorkflows"}, {"q": "pipeline:OrderWorkflows"})
        ]

    assert by_filter == by_search
    assert {run["pipeline"] for run in others} <= {"echo"}
    assert [answer.json()["code"] for answer in refused] == ["unknown_pipeline"] * 2


async def test_the_type_of_a_plain_workflow_may_differ_from_a_pipeline_by_its_case_only(
    parts: Parts, temporal: Client
) -> None:
    handle = await temporal.start_workflow(
        "Echo",
        id=f"order-{uuid.uuid4().hex[:8]}",
        task_queue="without-a-worker",
        search_attributes=TypedSearchAttributes([SearchAttributePair(SEARCH_TENANT, "acme")]),
    )
    async with client_of(Gateway(parts).app()) as caller:
        by_filter = await until_listed(caller, handle.id, pipeline="Echo")
        by_search = await until_listed(caller, handle.id, q="pipeline:Echo")
        others = (await caller.get("/v1/runs", params={"pipeline": "echo", "limit": "100"})).json()["runs"]
    await handle.terminate()

    assert by_filter == by_search
    assert by_filter["pipeline"] == "Echo"
    assert {run["pipeline"] for run in others} <= {"echo"}


@pytest.mark.parametrize("prefix", ["order/", "acme:order-"])
async def test_a_plain_workflow_whose_tenant_is_in_its_memo_is_not_a_run_of_a_pipeline(
    parts: Parts, plain_worker: PlainWorker, prefix: str
) -> None:
    run_id = await started(plain_worker, memo={MEMO_TENANT: "acme"}, prefix=prefix)
    async with client_of(Gateway(parts).app()) as caller:
        snapshot = await until_status(caller, run_id, "running")
        refused = await caller.post(f"/v1/runs/{run_id}/pause", json={})

    assert (snapshot["plain"], snapshot["pipeline"]) == (True, "OrderWorkflow")
    assert (refused.status_code, refused.json()["code"]) == (409, "plain_workflow")
    milestones = await eventually(plain_worker.receiver.milestones, within_s=30)
    assert {event.runid for event in milestones} == {run_id}
