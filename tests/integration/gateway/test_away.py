"""Backends that are unavailable: what still works, what waits, and which error names them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from temporalio.client import Client

from signalbox_core.crypto.sealing import KeyRing
from signalbox_core.events import encode_event
from signalbox_core.ids import new_run_id
from signalbox_core.process.tasks import cancel_and_wait
from signalbox_core.pubsub import PubSubPublisher
from signalbox_core.streams import RedisRunStream
from signalbox_core.testing.pubsub import FakePublisher, FakeSubscriber
from signalbox_core.topology import START_REQUESTS
from signalbox_gateway.app import Gateway, Parts
from signalbox_gateway.runs.pending_starts import PendingStarts
from signalbox_gateway.runs.temporal import TemporalRuns
from support.assertions.eventually import eventually
from support.fakes.payload_keys import payload_keys_file
from support.servers import backends
from support.servers.gateway import client_of, gateway_parts


@pytest.fixture
async def without_temporal(redis_url: str, pubsub_host: str, tmp_path: Path) -> AsyncIterator[Parts]:
    (tmp_path / "away").mkdir()
    nowhere = f"127.0.0.1:{backends.free_port()}"
    async with gateway_parts(
        tmp_path / "away", temporal=nowhere, redis=redis_url, pubsub=pubsub_host
    ) as parts:
        yield parts


@pytest.fixture
async def stranded(without_temporal: Parts) -> AsyncIterator[httpx2.AsyncClient]:
    gateway = Gateway(without_temporal, deadline=timedelta(milliseconds=300))
    async with client_of(gateway.app()) as caller:
        yield caller


@asynccontextmanager
async def starting(parts: Parts, temporal: Client) -> AsyncIterator[None]:
    """Temporal is back: the loop of a gateway that makes the waiting starts."""
    loops = Gateway(replace(parts, temporal=temporal)).loops()
    task = asyncio.ensure_future(loops["starter"]())
    try:
        yield
    finally:
        await cancel_and_wait(task)


def order(run_id: str, text: str = "hi") -> dict[str, object]:
    return {"pipeline": "echo", "run_id": run_id, "input": {"text": text}}


async def status(caller: httpx2.AsyncClient, run_id: str) -> object:
    return (await caller.get(f"/v1/runs/{run_id}")).json().get("status")


async def test_without_temporal_a_start_is_queued_and_shown(stranded: httpx2.AsyncClient) -> None:
    run_id = new_run_id("echo")

    answer = await stranded.post("/v1/runs", json=order(run_id))
    again = await stranded.post("/v1/runs", json=order(run_id))
    other = await stranded.post("/v1/runs", json=order(run_id, "other"))
    snapshot = (await stranded.get(f"/v1/runs/{run_id}")).json()

    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    assert (again.status_code, other.status_code) == (202, 409)
    assert (snapshot["status"], snapshot["pipeline"], len(snapshot["steps"])) == ("queued", "echo", 2)


async def test_queued_runs_start_once_when_temporal_is_available_again(
    stranded: httpx2.AsyncClient, without_temporal: Parts, caller: httpx2.AsyncClient, temporal: Client
) -> None:
    runs = [new_run_id("echo") for _ in range(5)]
    for run_id in [*runs, *runs]:
        assert (await stranded.post("/v1/runs", json=order(run_id))).status_code == 202

    async with starting(without_temporal, temporal), starting(without_temporal, temporal):
        await eventually(lambda: _all_running(caller, runs))

    # The caller who repeats the request meets the run.
    assert (await caller.post("/v1/runs", json=order(runs[0]))).status_code == 200
    for run_id in runs:
        executions = [found async for found in temporal.list_workflows(f"WorkflowId = 'acme:{run_id}'")]
        assert len(executions) <= 1


async def _all_running(caller: httpx2.AsyncClient, runs: Sequence[str]) -> bool:
    return [await status(caller, run_id) for run_id in runs] == ["running"] * len(runs)


async def test_a_queued_start_survives_a_loss_of_redis(
    stranded: httpx2.AsyncClient, without_temporal: Parts, caller: httpx2.AsyncClient, temporal: Client
) -> None:
    run_id = new_run_id("echo")
    await stranded.post("/v1/runs", json=order(run_id))
    await without_temporal.redis.delete(f"signalbox:waiting:{{acme:{run_id}}}")

    async with starting(without_temporal, without_temporal.temporal):
        # Delivered while Temporal is still away, it is shown again.
        await eventually(lambda: _has(stranded, run_id, "queued"))
    async with starting(without_temporal, temporal):
        await eventually(lambda: _has(caller, run_id, "running"))


async def _has(caller: httpx2.AsyncClient, run_id: str, wanted: str) -> bool:
    return await status(caller, run_id) == wanted


async def test_another_request_cannot_take_the_id_of_a_pending_start(
    stranded: httpx2.AsyncClient, caller: httpx2.AsyncClient, without_temporal: Parts, temporal: Client
) -> None:
    run_id = new_run_id("echo")
    await stranded.post("/v1/runs", json=order(run_id))

    # Temporal answers again, and the starter has not come to this one yet.
    assert (await caller.post("/v1/runs", json=order(run_id, "other"))).status_code == 409
    assert (await caller.post("/v1/runs", json=order(run_id))).status_code == 201
    async with starting(without_temporal, temporal):
        await eventually(lambda: _is_settled(without_temporal, run_id))


async def _is_settled(parts: Parts, run_id: str) -> bool:
    return not await parts.redis.exists(f"signalbox:waiting:{{acme:{run_id}}}")


async def test_a_cancelled_queued_run_is_shown_as_cancelled_and_never_starts(
    stranded: httpx2.AsyncClient, without_temporal: Parts, caller: httpx2.AsyncClient, temporal: Client
) -> None:
    run_id, later = new_run_id("echo"), new_run_id("echo")
    for each in (run_id, later):
        await stranded.post("/v1/runs", json=order(each))

    answer = await stranded.post(f"/v1/runs/{run_id}/cancel", json={"reason": "not needed"})
    snapshot = (await stranded.get(f"/v1/runs/{run_id}")).json()
    again = await stranded.post("/v1/runs", json=order(run_id))
    async with starting(without_temporal, temporal):
        await eventually(lambda: _has(caller, later, "running"))

    assert answer.status_code == 202
    assert (snapshot["status"], snapshot["ended_at"] is not None, snapshot["sequence"]) == (
        "cancelled",
        True,
        1,
    )
    assert (again.status_code, again.json()["status"]) == (200, "cancelled")
    assert await TemporalRuns(temporal).describe(f"acme:{run_id}") is None
    assert await status(caller, run_id) == "cancelled"


async def test_a_late_withdrawal_cancels_the_run(
    stranded: httpx2.AsyncClient, without_temporal: Parts, temporal: Client, worker: None
) -> None:
    """The start was being made, so the withdrawal that follows it in the topic asks Temporal."""
    run_id = new_run_id("echo")
    await stranded.post(
        "/v1/runs", json={"pipeline": "echo", "run_id": run_id, "input": {"text": "hi", "ask": True}}
    )
    assert await PendingStarts(without_temporal.redis, without_temporal.publisher).claim(f"acme:{run_id}")

    answer = await stranded.post(f"/v1/runs/{run_id}/cancel")
    async with starting(without_temporal, temporal):
        await eventually(lambda: _is_cancelled(temporal, run_id))

    assert answer.status_code == 202


async def _is_cancelled(temporal: Client, run_id: str) -> bool:
    found = await TemporalRuns(temporal).describe(f"acme:{run_id}")
    return found is not None and found.status == "cancelled"


async def test_with_payload_keys_the_topic_holds_no_input_in_clear(
    without_temporal: Parts, caller: httpx2.AsyncClient, temporal: Client, tmp_path: Path
) -> None:
    published, run_id = FakePublisher(), new_run_id("echo")
    sealing = replace(
        without_temporal, publisher=published, payload_keys=KeyRing(payload_keys_file(tmp_path))
    )
    async with client_of(Gateway(sealing, deadline=timedelta(milliseconds=300)).app()) as stranded:
        await stranded.post("/v1/runs", json=order(run_id, "planted-8f1c"))
    (message,) = published.events(START_REQUESTS)
    assert b"planted-8f1c" not in encode_event(message)

    # Delivered to a gateway with the keys, it starts.
    subscriber = FakeSubscriber(published, START_REQUESTS)
    async with starting(replace(sealing, requests=subscriber), temporal):
        await eventually(lambda: _has(caller, run_id, "running"))


async def test_a_start_that_cannot_be_queued_is_refused(redis_url: str, tmp_path: Path) -> None:
    nowhere = f"127.0.0.1:{backends.free_port()}"
    async with gateway_parts(tmp_path, temporal=nowhere, redis=redis_url) as parts:
        hasty = PubSubPublisher("signalbox", emulator_host=nowhere, timeout_s=0.3)
        async with (
            hasty,
            client_of(
                Gateway(replace(parts, publisher=hasty), deadline=timedelta(milliseconds=300)).app()
            ) as caller,
        ):
            run_id = new_run_id("echo")
            answer = await caller.post("/v1/runs", json=order(run_id))
            shown = await caller.get(f"/v1/runs/{run_id}")

    assert (answer.status_code, answer.json()["code"]) == (503, "temporal_unavailable")
    assert shown.status_code == 503


async def test_readiness_reports_that_temporal_is_unavailable(stranded: httpx2.AsyncClient) -> None:
    ready = await stranded.get("/readyz")
    runs = await stranded.get("/v1/runs")

    assert (ready.status_code, ready.json()["ready"], ready.json()["temporal_available"]) == (
        200,
        True,
        False,
    )
    assert ready.json()["status"] == "degraded"
    assert (runs.status_code, runs.json()["code"]) == (503, "temporal_unavailable")
    assert int(runs.headers["retry-after"]) >= 1


async def test_without_redis_runs_are_still_started_and_shown(parts: Parts) -> None:
    redis = Redis.from_url(f"redis://127.0.0.1:{backends.free_port()}/0", retry=Retry(NoBackoff(), 0))
    gateway = Gateway(replace(parts, redis=redis, streams=RedisRunStream(redis)))
    run_id = new_run_id("echo")

    async with client_of(gateway.app()) as caller:
        started = await caller.post("/v1/runs", json=order(run_id), headers={"idempotency-key": "k"})
        shown = await caller.get(f"/v1/runs/{run_id}")
        ready = await caller.get("/readyz")
        inbox = await caller.get("/v1/approvals")
        signing_in = await caller.post("/v1/sessions", json={"api_key": "sbx_test_admin"})
        alive = await caller.get("/healthz")

    assert started.status_code == 201
    assert (shown.status_code, shown.json()["status"]) == (200, "running")
    assert (ready.status_code, ready.json()["dependencies"]["redis"]["ok"]) == (503, False)
    assert (inbox.status_code, signing_in.status_code, alive.status_code) == (503, 503, 200)
