"""Decisions through the API that race with continue-as-new: each is counted once, whatever it meets."""

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final

import httpx2
import pytest
from temporalio.client import Client

from signalbox_core.testing.pipeline import PipelineUnderTest, RunUnderTest, pipeline_under_test
from signalbox_gateway.app import Gateway, Parts
from support.assertions.continued import continued
from support.assertions.eventually import eventually
from support.fakes.carry_pipeline import SPEC, CarryInput, CarryResult
from support.servers.gateway import client_of

RUNS: Final = 4
WITHIN_S: Final = 120


@pytest.fixture
async def carry(temporal: Client) -> AsyncIterator[PipelineUnderTest]:
    async with pipeline_under_test(
        SPEC, activities=[], client=temporal, task_queue=SPEC.task_queue
    ) as pipeline:
        yield pipeline


@pytest.fixture
async def api(parts: Parts) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(Gateway(replace(parts, pipelines={SPEC.name: SPEC})).app()) as caller:
        yield caller


async def until_accepted(api: httpx2.AsyncClient, run: RunUnderTest, digest: str, text: str) -> None:
    """Send a decision as a careful client does: unchanged, until the answer is not 503."""
    path = f"/v1/runs/{run.run_id}/approvals/publish/decision"
    body = {"answer": {"publish": True, "text": text}, "digest": digest}
    headers = {"idempotency-key": uuid.uuid4().hex}

    async def final() -> httpx2.Response | None:
        answer = await api.post(path, json=body, headers=headers)
        return answer if answer.status_code != 503 else None

    answer = await eventually(final, within_s=WITHIN_S)
    assert answer.status_code in (200, 202), answer.text


async def decide_while_it_continues(
    api: httpx2.AsyncClient, pipeline: PipelineUnderTest, executions: int
) -> RunUnderTest:
    """Decide a run that continues as new as fast as it can, after that many executions."""
    run = await pipeline.start(CarryInput(rounds=1_000_000, after_s=0.01))
    digest = (await run.approval("publish", within_s=WITHIN_S)).digest
    execution_id = None
    for _ in range(executions):
        execution_id = await continued(run, since=execution_id, within_s=WITHIN_S)
    await until_accepted(api, run, digest, f"after {executions}")
    return run


async def test_a_decision_that_races_with_continue_as_new_is_counted_once(
    api: httpx2.AsyncClient, carry: PipelineUnderTest
) -> None:
    runs = await asyncio.gather(
        *(decide_while_it_continues(api, carry, executions) for executions in range(1, RUNS + 1))
    )

    for executions, run in enumerate(runs, start=1):
        assert await run.result() == CarryResult(published=True, text=f"after {executions}")
        await eventually(lambda run=run: "run.completed" in run.event_names(), within_s=WITHIN_S)
        counted = Counter(name for name in run.event_names() if name.startswith("approval."))
        assert counted == {"approval.requested": 1, "approval.decided": 1}
