"""A run is listed once, whatever its executions, and found by how it failed."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from temporalio.client import Client

from signalbox_gateway.app import Gateway, Parts
from support.assertions.eventually import eventually
from support.servers.gateway import client_of
from support.servers.staged_worker import staged_worker
from support.staged.stages.contract import SPEC

LONG_S = 60.0


@pytest.fixture
async def stages(parts: Parts, temporal: Client) -> AsyncIterator[httpx2.AsyncClient]:
    gateway = Gateway(replace(parts, pipelines={SPEC.name: SPEC}))
    async with staged_worker(temporal, parts.streams), client_of(gateway.app()) as caller:
        yield caller


async def start(caller: httpx2.AsyncClient, folder: Path, tag: str) -> str:
    given = {"folder": str(folder), "fail_at": "second"}
    answer = await caller.post("/v1/runs", json={"pipeline": "stages", "input": given, "tags": [tag]})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["run_id"])


async def listed(caller: httpx2.AsyncClient, query: str) -> list[dict[str, str]]:
    answer = await caller.get("/v1/runs", params={"q": query})
    assert answer.status_code == 200, answer.text
    runs: list[dict[str, str]] = answer.json()["runs"]
    return runs


async def until_listed(caller: httpx2.AsyncClient, query: str) -> list[dict[str, str]]:
    async def runs() -> list[dict[str, str]]:
        return await listed(caller, query)

    return await eventually(runs, within_s=LONG_S)


async def test_a_failed_run_is_found_by_its_error_and_step_until_it_is_retried(
    stages: httpx2.AsyncClient, temporal: Client, tmp_path: Path
) -> None:
    tag = f"x{uuid.uuid4().hex}"
    (tmp_path / "broken").touch()
    run_id = await start(stages, tmp_path, tag)
    (failed,) = await until_listed(stages, f"tag:{tag} step:second status:failed")
    error = (await stages.get(f"/v1/runs/{run_id}")).json()["error"]["code"]

    assert (failed["run_id"], failed["subject"]) == (run_id, tmp_path.name)
    assert [run["run_id"] for run in await listed(stages, f"tag:{tag} error:{error}")] == [run_id]
    assert await listed(stages, f"tag:{tag} error:other") == []
    assert await listed(stages, f"tag:{tag} step:first") == []

    (tmp_path / "broken").unlink()
    retried = await stages.post(f"/v1/runs/{run_id}/retry", json={"from": "failed"})
    assert retried.status_code == 200, retried.text
    (completed,) = await until_listed(stages, f"tag:{tag} status:completed")

    executions = [item async for item in temporal.list_workflows(f"WorkflowId = 'acme:{run_id}'")]
    assert len(executions) == 2
    assert [run["status"] for run in await listed(stages, f"tag:{tag}")] == ["completed"]
    assert await listed(stages, f"tag:{tag} status:failed") == []
    assert await listed(stages, f"tag:{tag} error:{error}") == []
    assert completed["started_at"] > failed["started_at"]
