"""One-time callback URLs: each ends its wait once, other requests do not, and its token is stored nowhere."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from temporalio.client import Client

from signalbox_core.crypto.sealing import KeyRing
from signalbox_core.pipeline.contract.callback_tokens import callback_url, open_token
from signalbox_core.pipeline.deps import ActivityDeps
from signalbox_core.testing.fetch import FakeFetcher
from signalbox_core.testing.objects import FakeObjectStore
from signalbox_core.testing.pipeline import PipelineUnderTest, pipeline_under_test
from signalbox_gateway.app import Gateway, Parts
from support.assertions.eventually import eventually
from support.drivers.api_calls import ended
from support.fakes.payload_keys import new_ring
from support.servers.gateway import ORIGIN, PATIENCE, client_of
from support.shipping.activities import CALLBACKS_FOLDER, Carrier, file_parcel
from support.shipping.contract import SPEC

PARCEL = {"parcel": "P1"}


@pytest.fixture
def keys(tmp_path: Path) -> KeyRing:
    (tmp_path / "ring").mkdir()
    return new_ring(tmp_path / "ring")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "callbacks"
    found.mkdir()
    return found


@pytest.fixture
async def shipping(temporal: Client, keys: KeyRing, folder: Path) -> AsyncIterator[PipelineUnderTest]:
    deps = ActivityDeps(
        objects=FakeObjectStore(),
        fetcher=FakeFetcher({}),
        environ={CALLBACKS_FOLDER: str(folder)},
        keys=keys,
        callback_origin=ORIGIN,
    )
    activities = [file_parcel, Carrier(deps).announce_parcel]
    queue = SPEC.task_queue
    async with pipeline_under_test(
        SPEC, activities=activities, client=temporal, task_queue=queue
    ) as pipeline:
        yield pipeline


@pytest.fixture
def own(parts: Parts, keys: KeyRing) -> Parts:
    return replace(parts, pipelines={SPEC.name: SPEC}, payload_keys=keys)


@pytest.fixture
async def api(own: Parts) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(Gateway(own, deadline=PATIENCE).app()) as client:
        yield client


@pytest.fixture
async def outside(own: Parts) -> AsyncIterator[httpx2.AsyncClient]:
    """A caller without credentials."""
    async with client_of(Gateway(own, deadline=PATIENCE).app(), None) as client:
        yield client


async def called_for(api: httpx2.AsyncClient, folder: Path, **more: object) -> tuple[str, str]:
    """A run that waits for its callback, and the URL."""
    body = {"pipeline": "shipping", "input": {"order": "o", "by_callback": True} | more}
    run_id = str((await api.post("/v1/runs", json=body)).json()["run_id"])
    url = await eventually(lambda: _content(folder / run_id), within_s=60)
    return run_id, url.removeprefix(ORIGIN)


def _content(file: Path) -> str:
    return file.read_text() if file.is_file() else ""


@pytest.mark.usefixtures("shipping")
async def test_a_post_to_the_url_resumes_the_run_once_and_nothing_else_does(
    api: httpx2.AsyncClient, outside: httpx2.AsyncClient, folder: Path
) -> None:
    run_id, path = await called_for(api, folder)

    idle = [await outside.request(method, path) for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS")]
    (wait,) = (await api.get(f"/v1/runs/{run_id}")).json()["waits"]
    by_api = await api.post(
        f"/v1/runs/{run_id}/events/parcel.dispatched", json={"event_id": "e", "data": {"parcel": "other"}}
    )
    invalid = await outside.post(path, json={"parcel": 7})
    first = await outside.post(path, json=PARCEL)
    again = await outside.post(path, json={"parcel": "P2"})
    await ended(api, run_id)
    late = await outside.post(path, json=PARCEL)

    assert {answer.status_code for answer in idle} == {405}
    assert (wait["status"], wait["is_callback"]) == ("pending", True)
    assert by_api.json()["status"] == "kept"
    assert (invalid.status_code, invalid.json()["field"]) == (422, "parcel")
    assert (first.status_code, first.json()) == (200, {"status": "received"})
    assert again.status_code == late.status_code == 409
    assert again.json()["code"] in ("callback_used", "callback_closed")
    assert late.json()["code"] == "callback_closed"
    assert (await api.get(f"/v1/runs/{run_id}/result")).json() == {"amount": 0, "parcel": "P1"}


@pytest.mark.usefixtures("shipping")
async def test_of_concurrent_posts_one_counts(
    api: httpx2.AsyncClient, outside: httpx2.AsyncClient, folder: Path
) -> None:
    run_id, path = await called_for(api, folder)

    answers = await asyncio.gather(*(outside.post(path, json={"parcel": f"P{n}"}) for n in range(6)))
    await ended(api, run_id)

    accepted = [n for n, answer in enumerate(answers) if answer.status_code == 200]
    assert len(accepted) == 1
    assert {answer.status_code for answer in answers} == {200, 409}
    assert (await api.get(f"/v1/runs/{run_id}/result")).json()["parcel"] == f"P{accepted[0]}"


@pytest.mark.usefixtures("shipping")
async def test_the_token_is_neither_in_the_history_nor_in_events_answers_and_logs(
    shipping: PipelineUnderTest,
    temporal: Client,
    api: httpx2.AsyncClient,
    outside: httpx2.AsyncClient,
    folder: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    run_id, path = await called_for(api, folder)
    token = path.rpartition("/")[2]
    shown = await api.get(f"/v1/runs/{run_id}")
    await outside.get(path)
    await outside.post(f"{path}/more", json=PARCEL)
    assert (await outside.post(path, json=PARCEL)).status_code == 200
    await ended(api, run_id)

    stored = b""
    async for execution in temporal.list_workflows("WorkflowType = 'shipping'"):
        if execution.id.endswith(run_id):
            handle = temporal.get_workflow_handle(execution.id, run_id=execution.run_id)
            stored = b"".join([event.SerializeToString() async for event in handle.fetch_history_events()])
    assert b"parcel.dispatched" in stored
    assert token.encode() not in stored
    assert token not in shown.text + (await api.get(f"/v1/runs/{run_id}")).text
    assert all(token not in str(event) for event in shipping.emitter.milestones)
    own_log = str([record.__dict__ for record in caplog.records if record.name.startswith("signalbox")])
    assert "/v1/callbacks/***" in own_log
    assert token not in own_log


@pytest.mark.usefixtures("shipping")
async def test_a_changed_or_foreign_url_is_refused(
    api: httpx2.AsyncClient, outside: httpx2.AsyncClient, folder: Path, keys: KeyRing, tmp_path: Path
) -> None:
    run_id, path = await called_for(api, folder)
    callback = open_token(path.rpartition("/")[2], keys)
    assert callback is not None
    (tmp_path / "other").mkdir()
    foreign = callback_url("", callback, new_ring(tmp_path / "other"))
    key_id, _, sealed = path.rpartition("/")[2].partition(".")
    changed = f"/v1/callbacks/{key_id}.{'A' if sealed[0] != 'A' else 'B'}{sealed[1:]}"

    for wrong in (foreign, changed, f"{path}A", path[:-4], "/v1/callbacks/none"):
        answer = await outside.post(wrong, json=PARCEL)
        assert (answer.status_code, answer.json()["code"]) == (403, "callback_invalid")
    (wait,) = (await api.get(f"/v1/runs/{run_id}")).json()["waits"]
    assert wait["status"] == "pending"


@pytest.mark.usefixtures("shipping")
async def test_an_expired_or_cancelled_callback_is_refused(
    api: httpx2.AsyncClient, outside: httpx2.AsyncClient, folder: Path
) -> None:
    expired_run, expired = await called_for(api, folder, patience_s=0.2)
    cancelled_run, cancelled = await called_for(api, folder)
    await api.post(f"/v1/runs/{cancelled_run}/cancel", json={})
    for run_id in (expired_run, cancelled_run):
        await ended(api, run_id)

    answers = [await outside.post(path, json=PARCEL) for path in (expired, cancelled)]

    assert [answer.status_code for answer in answers] == [409, 409]
    assert [answer.json()["code"] for answer in answers] == ["callback_expired", "callback_closed"]
    assert (await api.get(f"/v1/runs/{expired_run}")).json()["waits"][0]["status"] == "expired"


async def test_without_a_worker_the_callback_is_recorded_and_received_later(
    shipping: PipelineUnderTest, api: httpx2.AsyncClient, own: Parts, folder: Path
) -> None:
    run_id, path = await called_for(api, folder)

    async with shipping.without_worker(), client_of(Gateway(own).app(), None) as outside:
        answers = [await outside.post(path, json={"parcel": parcel}) for parcel in ("P1", "P2")]
    await ended(api, run_id)

    assert [answer.status_code for answer in answers] == [202, 202]
    assert (await api.get(f"/v1/runs/{run_id}/result")).json()["parcel"] == "P1"


async def test_a_gateway_without_payload_keys_accepts_no_callback(parts: Parts) -> None:
    async with client_of(Gateway(parts).app(), None) as outside:
        answer = await outside.post("/v1/callbacks/none", json=PARCEL)

    assert (answer.status_code, answer.json()["code"]) == (403, "callback_invalid")
