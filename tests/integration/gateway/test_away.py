"""Backends that are away: what still works, what waits, what says so."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from temporalio.client import Client

from signalbox_core.ids import new_run_id
from signalbox_core.streams import RedisRunStream
from signalbox_gateway.app import Gateway, Parts
from signalbox_gateway.engine import Engine
from signalbox_gateway.waiting import Starter, WaitingStarts
from support import servers
from support.gateway import PIPELINES, client_of, gateway_parts


@pytest.fixture
async def without_temporal(redis_url: str, tmp_path: Path) -> AsyncIterator[Parts]:
    (tmp_path / "away").mkdir()
    async with gateway_parts(tmp_path / "away", temporal=f"127.0.0.1:{servers.free_port()}", redis=redis_url) as parts:
        yield parts


@pytest.fixture
async def queue(without_temporal: Parts) -> AsyncIterator[WaitingStarts]:
    """Nothing waits before or after a test."""
    yield WaitingStarts(without_temporal.redis)
    await without_temporal.redis.delete("signalbox:waiting-starts")


@pytest.fixture
async def stranded(without_temporal: Parts) -> AsyncIterator[httpx2.AsyncClient]:
    gateway = Gateway(without_temporal, deadline=timedelta(milliseconds=300))
    async with client_of(gateway.app()) as caller:
        yield caller


def order(run_id: str, text: str = "hi") -> dict[str, object]:
    return {"pipeline": "echo", "run_id": run_id, "input": {"text": text}}


async def test_without_temporal_a_start_is_queued_and_shown(stranded: httpx2.AsyncClient, queue: WaitingStarts) -> None:
    run_id = new_run_id("echo")

    answer = await stranded.post("/v1/runs", json=order(run_id))
    again = await stranded.post("/v1/runs", json=order(run_id))
    other = await stranded.post("/v1/runs", json=order(run_id, "other"))
    snapshot = (await stranded.get(f"/v1/runs/{run_id}")).json()

    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    assert (again.status_code, other.status_code) == (202, 409)
    assert (snapshot["status"], snapshot["pipeline"], len(snapshot["steps"])) == ("queued", "echo", 2)


async def test_a_queued_start_is_made_when_temporal_is_back(
    stranded: httpx2.AsyncClient, queue: WaitingStarts, caller: httpx2.AsyncClient, temporal: Client
) -> None:
    run_id = new_run_id("echo")
    await stranded.post("/v1/runs", json=order(run_id))

    handed = await Starter(queue, Engine(temporal), PIPELINES).hand_over()

    assert handed == 1
    assert await queue.find(run_id) is None
    assert (await caller.get(f"/v1/runs/{run_id}")).json()["status"] == "running"
    # The caller who repeats the request meets the run.
    assert (await caller.post("/v1/runs", json=order(run_id))).status_code == 200


async def test_a_queued_start_can_be_cancelled(stranded: httpx2.AsyncClient, queue: WaitingStarts) -> None:
    run_id = new_run_id("echo")
    await stranded.post("/v1/runs", json=order(run_id))

    answer = await stranded.post(f"/v1/runs/{run_id}/cancel")

    assert answer.status_code == 202
    assert await queue.find(run_id) is None


async def test_readiness_tells_that_temporal_is_away(stranded: httpx2.AsyncClient) -> None:
    ready = await stranded.get("/readyz")
    runs = await stranded.get("/v1/runs")

    assert (ready.status_code, ready.json()["ready"], ready.json()["temporal_available"]) == (200, True, False)
    assert (runs.status_code, runs.json()["code"]) == (503, "temporal_unavailable")
    assert int(runs.headers["retry-after"]) >= 1


async def test_without_redis_runs_are_still_started_and_shown(parts: Parts) -> None:
    redis = Redis.from_url(f"redis://127.0.0.1:{servers.free_port()}/0", retry=Retry(NoBackoff(), 0))
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
