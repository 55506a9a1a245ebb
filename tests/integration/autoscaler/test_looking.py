"""The autoscaler's eye on a real Temporal server."""

import uuid
from datetime import timedelta

from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.worker import Worker

from signalbox_autoscaler.backlog import TemporalEye
from signalbox_autoscaler.decisions import Backlog
from signalbox_core.pipeline.loading import sandbox
from signalbox_core.temporal import connect
from support.sample.contract import SPEC
from support.sample.workflow import Sample
from support.waiting import eventually


async def test_runs_without_a_worker_are_a_backlog(temporal_address: str) -> None:
    client = await connect(temporal_address, "default")
    queue = f"alone-{uuid.uuid4().hex[:8]}"
    for number in range(3):
        await client.start_workflow(SPEC.name, {}, id=f"{queue}-{number}", task_queue=queue)
    eye = TemporalEye(client, frozenset({queue}))

    async def seen() -> Backlog | None:
        (found,) = [item for item in await eye.look() if item.queue == queue]
        return found if found.workflow_tasks == 3 else None

    found = await eventually(seen)
    assert (found.workers, found.activities) == (0, 0)
    for number in range(3):
        await client.get_workflow_handle(f"{queue}-{number}").terminate()


async def test_the_queue_of_a_heartbeating_worker_is_found_by_itself(temporal_address: str) -> None:
    runtime = Runtime(telemetry=TelemetryConfig(), worker_heartbeat_interval=timedelta(seconds=1))
    client = await connect(temporal_address, "default", runtime=runtime)
    queue = f"found-{uuid.uuid4().hex[:8]}"
    eye = TemporalEye(client, frozenset())

    async def is_seen() -> bool:
        return (queue, 1) in [(item.queue, item.workers) for item in await eye.look()]

    async with Worker(client, task_queue=queue, workflows=[Sample], workflow_runner=sandbox([SPEC])):
        await eventually(is_seen)
