"""Which pollers of a task queue count as workers for a task that waits in it."""

from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.deployment.v1 import WorkerDeploymentOptions
from temporalio.api.taskqueue.v1 import PollerInfo
from temporalio.api.workflowservice.v1 import DescribeTaskQueueResponse

from signalbox_gateway.background.condition_rules import QueueKind, WaitingQueue
from signalbox_gateway.background.pending_work import PendingWorkReader
from signalbox_gateway.runs.workflow_ids import WorkflowIds
from support.fakes.scripted_temporal import scripted_client

LONG_AGO, NOW = timedelta(minutes=4), timedelta()


@pytest.mark.parametrize(
    ("kind", "build", "polled", "has_pollers"),
    [
        pytest.param("workflow", "b1", NOW, True, id="polls"),
        pytest.param("workflow", "b1", LONG_AGO, False, id="is gone"),
        pytest.param("activity", "b1", LONG_AGO, True, id="all slots may be taken"),
        pytest.param("activity", "b2", NOW, False, id="another build"),
        pytest.param("workflow", "", LONG_AGO, True, id="not pinned"),
    ],
)
async def test_a_worker_whose_slots_are_taken_counts_although_it_does_not_poll(
    kind: QueueKind, build: str, polled: timedelta, *, has_pollers: bool
) -> None:
    at = Timestamp()
    at.FromDatetime(datetime.now(UTC) - polled)
    options = WorkerDeploymentOptions(deployment_name="shop", build_id="b1")
    client, _ = scripted_client(
        describe_task_queue=DescribeTaskQueueResponse(
            pollers=[PollerInfo(last_access_time=at, deployment_options=options)]
        )
    )
    reader = PendingWorkReader(client, WorkflowIds(client, timedelta(seconds=5)))
    assert (await reader.queue(WaitingQueue("q", kind, build))).has_pollers is has_pollers
