"""The autoscaler sees the backlog of every build, also of one whose pinned runs have no workers."""

import pytest
from temporalio.client import Client

from signalbox_autoscaler.observe.temporal_metrics import TemporalMetrics
from signalbox_core.temporal import connect
from support.assertions.eventually import eventually
from support.deploys.builds import Fleet
from support.deploys.contract import DeploysInput


@pytest.fixture
async def client(temporal_address: str) -> Client:
    return await connect(temporal_address, "default")


@pytest.mark.timeout(240)
async def test_tasks_of_a_pinned_build_without_workers_are_part_of_the_backlog(client: Client) -> None:
    fleet, metrics = Fleet(client, "pinned"), TemporalMetrics(client)
    async with fleet.build("b1", "Current"):
        async with fleet.build("b0", "Current"):
            await fleet.promote("b0")
            runs = [await fleet.start(DeploysInput()) for _ in range(3)]
            await eventually(
                lambda: all("approval.requested" in run.event_names() for run in runs), within_s=60
            )
            await fleet.promote("b1")
        for run in runs:
            await run.pause()

        async def is_seen() -> bool:
            backlog = (await metrics.backlogs([fleet.task_queue])).get(fleet.task_queue)
            return backlog is not None and backlog.workflow_tasks == 3

        await eventually(is_seen, within_s=60, every_s=1)
        for run in runs:
            await run.handle.terminate()
