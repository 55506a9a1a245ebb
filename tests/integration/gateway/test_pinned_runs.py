"""A run that is pinned to a build waits for workers of that build; the gateway reads which those are."""

from datetime import timedelta

import pytest
from temporalio.client import Client

from signalbox_core.ids import run_key
from signalbox_core.pipeline.contract.spec import Versioning
from signalbox_core.temporal import connect
from signalbox_gateway.background.condition_rules import WaitingQueue
from signalbox_gateway.background.pending_work import PendingWorkReader
from signalbox_gateway.runs.workflow_ids import WorkflowIds
from support.assertions.eventually import eventually
from support.deploys.builds import Fleet


@pytest.fixture
async def client(temporal_address: str) -> Client:
    return await connect(temporal_address, "default")


@pytest.mark.parametrize(("versioning", "build"), [("pinned", "b0"), ("auto-upgrade", "")])
async def test_only_workers_of_its_build_take_the_tasks_of_a_pinned_run(
    client: Client, versioning: Versioning, build: str
) -> None:
    fleet = Fleet(client, versioning)
    reader = PendingWorkReader(client, WorkflowIds(client, timedelta(seconds=5)))
    async with fleet.build("b0", "Current"):
        run = await fleet.start()
        await eventually(lambda: "approval.requested" in run.event_names(), within_s=60)
        work = await reader.read(run_key("acme", run.run_id))
        polled = {
            name: (await reader.queue(WaitingQueue(fleet.task_queue, "workflow", name))).has_pollers
            for name in ("", "b0", "b9")
        }
        await run.handle.terminate()

    assert work is not None
    assert work.build == build
    assert polled == {"": True, "b0": True, "b9": False}
