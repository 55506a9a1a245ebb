"""Tenants take turns: a tenant that starts many runs delays neither the runs nor the activities of others."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Final
from uuid import uuid4

import pytest
from msgspec import Struct
from temporalio import activity, workflow
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.common import Priority
from temporalio.service import RPCError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from signalbox_core.ids import run_key
from signalbox_core.pipeline.spec import PipelineSpec, Step
from signalbox_gateway.app import Gateway, Parts
from support.assertions.eventually import eventually
from support.servers.gateway import KEYS, client_of

MANY, FEW = 20, 5
BUSY, QUIET = "admin", "stranger"
"""Keys of the tenants acme and other."""
Start = Callable[..., Awaitable[None]]
SOON: Final = timedelta(seconds=30)


class Nothing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


RUNS: Final[list[str | None]] = []
"""The tenants of the runs, in the order in which the one slot took them."""
ACTIVITIES: Final[list[Priority]] = []
"""The priorities of the activities, likewise."""


@activity.defn(name="turns.work")
async def work() -> None:
    ACTIVITIES.append(activity.info().priority)


@workflow.defn(name="turns")
class Turns:
    @workflow.run
    async def run(self, _request: Nothing) -> Nothing:
        if not workflow.unsafe.is_replaying():
            RUNS.append(workflow.info().priority.fairness_key)
        await workflow.execute_activity(work, start_to_close_timeout=SOON)
        await workflow.execute_activity(work, start_to_close_timeout=SOON, priority=Priority(priority_key=1))
        return Nothing()


@pytest.fixture
def spec() -> PipelineSpec:
    """On a queue of its own."""
    RUNS.clear()
    ACTIVITIES.clear()
    return PipelineSpec(
        name="turns",
        title="Turns",
        input=Nothing,
        result=Nothing,
        workflow=f"{__name__}:Turns",
        steps=(Step("turn", "Turn"),),
        task_queue=f"turns-{uuid4().hex}",
    )


@pytest.fixture
async def start(parts: Parts, temporal: Client, spec: PipelineSpec) -> AsyncIterator[Start]:
    """Starts runs and terminates the open ones at the end, because other tests list the same tenants."""
    app, started = Gateway(replace(parts, pipelines={spec.name: spec})).app(), list[str]()

    async def start(role: str, count: int, **members: object) -> None:
        async with client_of(app, role) as caller:
            for _ in range(count):
                answer = await caller.post("/v1/runs", json={"pipeline": "turns", "input": {}, **members})
                assert answer.status_code == 201
                started.append(run_key(KEYS[role][0], answer.json()["run_id"]))

    yield start
    for workflow_id in started:
        with suppress(RPCError):
            await temporal.get_workflow_handle(workflow_id).terminate()


def conductor(temporal: Client, spec: PipelineSpec) -> Worker:
    """Takes one workflow task at a time and no activity."""
    return Worker(
        temporal, task_queue=spec.task_queue, workflows=[Turns], workflow_runner=UnsandboxedWorkflowRunner(),
        max_cached_workflows=0, max_concurrent_workflow_tasks=1, max_concurrent_workflow_task_polls=1,
    )  # fmt: skip


def hand(temporal: Client, spec: PipelineSpec) -> Worker:
    """Takes one activity at a time."""
    return Worker(
        temporal,
        task_queue=spec.task_queue,
        activities=[work],
        max_concurrent_activities=1,
        max_concurrent_activity_task_polls=1,
    )


async def has_backlog(temporal: Client, spec: PipelineSpec, activities: int) -> bool:
    request = DescribeTaskQueueRequest(
        namespace=temporal.namespace,
        task_queue=TaskQueue(name=spec.task_queue),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
        report_stats=True,
    )
    found = await temporal.workflow_service.describe_task_queue(request)
    return found.stats.approximate_backlog_count >= activities


def assert_turns(tenants: Sequence[str | None]) -> None:
    """First come, first served would serve the quiet tenant's last at the very end."""
    assert sorted(map(str, tenants)) == ["acme"] * MANY + ["other"] * FEW
    last = max(place for place, tenant in enumerate(tenants) if tenant == "other")
    assert last < 2 * FEW + 4, tenants


async def test_the_few_runs_of_a_tenant_do_not_wait_for_the_many_of_another(
    start: Start, temporal: Client, spec: PipelineSpec
) -> None:
    await start(BUSY, MANY)
    await start(QUIET, FEW)
    async with conductor(temporal, spec):
        await eventually(lambda: len(RUNS) == MANY + FEW, within_s=30)

    assert_turns(RUNS)


async def test_nor_do_their_activities(start: Start, temporal: Client, spec: PipelineSpec) -> None:
    async with conductor(temporal, spec):
        await start(BUSY, MANY)
        await eventually(lambda: len(RUNS) == MANY, within_s=30)
        await start(QUIET, FEW)
        await eventually(lambda: len(RUNS) == MANY + FEW, within_s=30)
        # The server hands activities to their queue some time after the workflow task that scheduled them.
        await eventually(lambda: has_backlog(temporal, spec, MANY + FEW), within_s=30)
    # Every first activity waits now, the busy tenant's in front.
    async with hand(temporal, spec):
        await eventually(lambda: len(ACTIVITIES) == MANY + FEW, within_s=30)

    assert_turns([priority.fairness_key for priority in ACTIVITIES])


async def test_an_activity_has_its_tenant_and_priority_from_the_run_even_when_it_states_its_own_place(
    start: Start, temporal: Client, spec: PipelineSpec
) -> None:
    await start(BUSY, 1, priority=4)
    async with conductor(temporal, spec), hand(temporal, spec):
        await eventually(lambda: len(ACTIVITIES) == 2, within_s=30)

    assert [(priority.priority_key, priority.fairness_key) for priority in ACTIVITIES] == [
        (4, "acme"),
        (1, "acme"),
    ]
