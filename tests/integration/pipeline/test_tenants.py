"""A run belongs to a tenant or is refused; what it starts belongs to the same tenant."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio import activity, workflow
from temporalio.client import Client, WorkflowFailureError, WorkflowHistory
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from signalbox_core.pipeline.activity.interceptor import ActivityInterceptor
from signalbox_core.pipeline.activity.progress import emit_on_complete
from signalbox_core.pipeline.run import Run
from signalbox_core.pipeline.workflow.interceptor import RunInterceptor
from signalbox_core.pipeline.workflow.outbox import DeliverActivities, OutboxWorkflow
from signalbox_core.temporal.names import MEMO_STARTED_BY, MEMO_TENANT
from signalbox_core.testing.pipeline import FakeEmitter, pipeline_under_test, replay
from support.sample.activities import make, prepare, undo
from support.sample.contract import SPEC, Made, SampleInput

HISTORY = Path(__file__).parents[2] / "histories" / "sample" / "plain.json"


@activity.defn(name="tenants.emit")
@emit_on_complete("sample.made", lambda _request, result: result)
async def emit(number: int) -> Made:
    return Made(number=number, label="made")


@workflow.defn(name="tenants.child")
class Child:
    @workflow.init
    def __init__(self) -> None:
        self.signalbox = Run(SPEC)

    @workflow.run
    async def run(self) -> str:
        async with self.signalbox as run:
            return run.tenant


@workflow.defn(name="tenants.parent")
class Parent:
    @workflow.init
    def __init__(self) -> None:
        self.signalbox = Run(SPEC)

    @workflow.run
    async def run(self) -> str:
        async with self.signalbox:
            await workflow.execute_activity(emit, 1, start_to_close_timeout=timedelta(seconds=5))
            return await workflow.execute_child_workflow(Child.run)


@workflow.defn(name="tenants.no_run")
class NoRun:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity(emit, 1, start_to_close_timeout=timedelta(seconds=5))


@pytest.fixture
def emitter() -> FakeEmitter:
    return FakeEmitter()


@pytest.fixture
async def queue(client: Client, emitter: FakeEmitter) -> AsyncIterator[str]:
    worker = Worker(
        client,
        task_queue=f"tenants-{uuid.uuid4().hex[:8]}",
        workflows=[Parent, Child, NoRun, OutboxWorkflow],
        activities=[emit, DeliverActivities(emitter).deliver],
        workflow_runner=UnsandboxedWorkflowRunner(),
        interceptors=[RunInterceptor(emitter.offer), ActivityInterceptor(emitter)],
    )
    async with worker:
        yield worker.task_queue


async def test_a_run_without_a_tenant_is_refused(client: Client) -> None:
    async with pipeline_under_test(SPEC, activities=[prepare, make, undo], client=client) as pipeline:
        handle = await client.start_workflow(
            SPEC.name, SampleInput(), id=f"none-{pipeline.task_queue}", task_queue=pipeline.task_queue
        )
        with pytest.raises(WorkflowFailureError) as refused:
            await handle.result()
        await replay(SPEC, await handle.fetch_history())

    cause = refused.value.cause
    assert isinstance(cause, ApplicationError)
    assert (cause.type, cause.non_retryable) == ("tenant_missing", True)
    assert pipeline.emitter.milestones == []


async def test_a_history_recorded_without_a_tenant_replays() -> None:
    recorded = json.loads(HISTORY.read_text("utf-8"))
    del recorded["events"][0]["workflowExecutionStartedEventAttributes"]["memo"]["fields"][MEMO_TENANT]

    await replay(SPEC, WorkflowHistory.from_json("sample-1", recorded))


async def test_a_child_and_a_plain_activity_belong_to_the_tenant_of_the_run(
    client: Client, queue: str, emitter: FakeEmitter
) -> None:
    async with asyncio.timeout(20):
        handle = await client.start_workflow(
            Parent.run,
            id=f"parent-{queue}",
            task_queue=queue,
            memo={MEMO_TENANT: "acme", MEMO_STARTED_BY: "lan"},
        )
        assert await handle.result() == "acme"

    assert {event.tenantid for event in [*emitter.milestones, *emitter.domain]} == {"acme"}
    assert len(emitter.domain) == 1


async def test_events_of_an_activity_without_a_tenant_are_refused(
    client: Client, queue: str, emitter: FakeEmitter
) -> None:
    async with asyncio.timeout(20):
        with pytest.raises(WorkflowFailureError) as refused:
            await client.execute_workflow(NoRun.run, id=f"no-run-{queue}", task_queue=queue)

    assert isinstance(refused.value.cause, ActivityError)
    assert getattr(refused.value.cause.cause, "type", None) == "tenant_missing"
    assert emitter.domain == []
