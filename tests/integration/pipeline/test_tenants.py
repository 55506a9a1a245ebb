"""A run belongs to a tenant or is refused; what it starts belongs to the same tenant."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from temporalio import activity, workflow
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle, WorkflowHistory
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from signalbox_core.events.catalogue import RunPaused, RunStarted
from signalbox_core.ids import run_key
from signalbox_core.pipeline.activity.interceptor import ActivityInterceptor
from signalbox_core.pipeline.activity.progress import emit_on_complete
from signalbox_core.pipeline.contract.emitter import EventBatch
from signalbox_core.pipeline.run import Run
from signalbox_core.pipeline.workflow.delivery import DeliverActivities
from signalbox_core.pipeline.workflow.interceptor import RunInterceptor
from signalbox_core.pipeline.workflow.outbox import OutboxWorkflow
from signalbox_core.subjects import Subject
from signalbox_core.temporal.names import MEMO_STARTED_BY, MEMO_STARTER, MEMO_TENANT
from signalbox_core.testing.pipeline import FakeEmitter, pipeline_under_test, replay
from support.assertions.eventually import eventually
from support.fakes.events import make_event
from support.sample.activities import make, prepare, undo
from support.sample.contract import SPEC, Made, SampleInput

STARTER = Subject(subject="key:lan", name="Lan", groups=("legal",))
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


@workflow.defn(name="tenants.named")
class Named:
    """Starts a child under a plain run id, and signals a run by the id in its input."""

    @workflow.init
    def __init__(self, _target: str) -> None:
        self.signalbox = Run(SPEC)

    @workflow.run
    async def run(self, target: str) -> str:
        async with self.signalbox as run:
            memo = {MEMO_TENANT: "other"} if target == "foreign child" else None
            child_id = f"{run.run_id}.child"
            child = await workflow.start_child_workflow(Child.run, id=child_id, memo=memo)
            await child
            if target:
                await workflow.get_external_workflow_handle(target).signal("go_on")
            return f"{run.run_id} {run.workflow_id} {child.id}"


@workflow.defn(name="tenants.patient")
class Patient:
    def __init__(self) -> None:
        self.may_go_on = False

    @workflow.signal
    def go_on(self) -> None:
        self.may_go_on = True

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: self.may_go_on)


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
        workflows=[Parent, Child, Named, Patient, NoRun, OutboxWorkflow],
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
    async with asyncio.timeout(60):
        handle = await client.start_workflow(
            Parent.run,
            id=f"parent-{queue}",
            task_queue=queue,
            memo={MEMO_TENANT: "acme", MEMO_STARTED_BY: "lan", MEMO_STARTER: STARTER},
        )
        assert await handle.result() == "acme"

    await until_completed(emitter, 2)
    assert {event.tenantid for event in [*emitter.milestones, *emitter.domain]} == {"acme"}
    assert len(emitter.domain) == 1
    starts = [
        msgspec.json.decode(event.data, type=RunStarted)
        for event in emitter.milestones
        if event.name == "run.started"
    ]
    assert [(start.started_by, start.starter) for start in starts] == [("lan", STARTER)] * 2


async def test_events_of_an_activity_without_a_tenant_are_refused(
    client: Client, queue: str, emitter: FakeEmitter
) -> None:
    async with asyncio.timeout(60):
        with pytest.raises(WorkflowFailureError) as refused:
            await client.execute_workflow(NoRun.run, id=f"no-run-{queue}", task_queue=queue)

    assert isinstance(refused.value.cause, ActivityError)
    assert getattr(refused.value.cause.cause, "type", None) == "tenant_missing"
    assert emitter.domain == []


async def until_completed(emitter: FakeEmitter, count: int) -> None:
    """Wait for the last events of so many runs, which may follow their results."""
    await eventually(lambda: [event.name for event in emitter.milestones].count("run.completed") == count)


def memo(tenant: str) -> dict[str, str]:
    return {MEMO_TENANT: tenant, MEMO_STARTED_BY: "lan"}


async def refusal(handle: WorkflowHandle[Any, Any]) -> str | None:
    """The type of the innermost error that failed the workflow."""
    async with asyncio.timeout(60):
        with pytest.raises(WorkflowFailureError) as refused:
            await handle.result()
    cause: BaseException | None = refused.value
    while cause is not None and cause.__cause__ is not None:
        cause = cause.__cause__
    return cause.type if isinstance(cause, ApplicationError) else None


async def test_two_tenants_run_the_same_ids(client: Client, queue: str, emitter: FakeEmitter) -> None:
    run_id = f"named-{queue}"
    async with asyncio.timeout(60):
        handles = [
            await client.start_workflow(
                Named.run, "", id=run_key(tenant, run_id), task_queue=queue, memo=memo(tenant)
            )
            for tenant in ("acme", "other:1")
        ]
        results = [await handle.result() for handle in handles]

    assert results == [
        f"{run_id} acme:{run_id} acme:{run_id}.child",
        f"{run_id} other%3A1:{run_id} other%3A1:{run_id}.child",
    ]
    await until_completed(emitter, 4)
    ours, theirs = (
        {event.id for event in emitter.milestones if event.tenantid == tenant}
        for tenant in ("acme", "other:1")
    )
    assert ours
    assert theirs
    assert ours.isdisjoint(theirs)
    assert {event.runid for event in emitter.milestones} == {run_id, f"{run_id}.child"}


async def test_a_run_signals_runs_of_its_own_tenant_only(client: Client, queue: str) -> None:
    target = f"patient-{queue}"
    async with asyncio.timeout(60):
        ours, theirs = [
            await client.start_workflow(
                Patient.run, id=run_key(tenant, target), task_queue=queue, memo=memo(tenant)
            )
            for tenant in ("acme", "other")
        ]
        own = await client.start_workflow(
            Named.run, target, id=run_key("acme", f"own-{queue}"), task_queue=queue, memo=memo("acme")
        )
        await own.result()
        await ours.result()
        foreign = await client.start_workflow(
            Named.run,
            run_key("other", target),
            id=run_key("acme", f"foreign-{queue}"),
            task_queue=queue,
            memo=memo("acme"),
        )

        assert await refusal(foreign) == "tenant_mismatch"
        assert (await theirs.describe()).close_time is None
        await theirs.terminate()


async def test_a_child_of_another_tenant_is_refused(client: Client, queue: str) -> None:
    handle = await client.start_workflow(
        Named.run, "foreign child", id=run_key("acme", f"f-{queue}"), task_queue=queue, memo=memo("acme")
    )
    assert await refusal(handle) == "tenant_mismatch"


async def test_a_run_whose_memo_names_another_tenant_than_its_id_is_refused(
    client: Client, queue: str, emitter: FakeEmitter
) -> None:
    handle = await client.start_workflow(
        Parent.run, id=run_key("acme", f"p-{queue}"), task_queue=queue, memo=memo("other")
    )
    assert await refusal(handle) == "tenant_mismatch"
    assert emitter.milestones == []


async def test_an_outbox_with_an_event_of_another_tenant_is_refused(
    client: Client, queue: str, emitter: FakeEmitter
) -> None:
    event = make_event("run.paused", RunPaused(by="lan"), sequence=1, tenant="other")
    handle = await client.start_workflow(
        OutboxWorkflow.run,
        EventBatch(events=(event,)),
        id=run_key("acme", f"r-{queue}/outbox"),
        task_queue=queue,
        memo=memo("acme"),
    )
    assert await refusal(handle) == "tenant_mismatch"
    assert emitter.milestones == []
