"""What a schedule needs of the payloads that its workflows stored."""

from datetime import UTC, datetime

import pytest
from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.schedule.v1 import ScheduleInfo

from signalbox_admin.payloads.references import Mentions, References, mentions_of_starts
from signalbox_core.objects import StoredObject
from signalbox_core.temporal import connect
from signalbox_core.temporal.claim_check import workflow_folder

COMPLETED = WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_COMPLETED
FAILED = WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_FAILED


def schedule(*statuses: WorkflowExecutionStatus.ValueType, earlier: int = 0) -> ScheduleInfo:
    info = ScheduleInfo(action_count=len(statuses) + earlier)
    for number, status in enumerate(statuses):
        action = info.recent_actions.add(start_workflow_status=status)
        action.start_workflow_result.workflow_id = workflow_id(number)
    return info


def workflow_id(number: int) -> str:
    return f"acme:nightly-2026-11-{number + 10}T02:00:00Z"


def stored(folder: str) -> StoredObject:
    key = f"payloads/acme/{folder}/{'0' * 64}"
    return StoredObject(key=key, size_bytes=1, modified_at=datetime(2020, 1, 1, tzinfo=UTC))


def test_recent_and_running_workflows_are_named() -> None:
    info = schedule(COMPLETED, FAILED)
    info.running_workflows.add(workflow_id=workflow_id(2))

    folders = frozenset(workflow_folder(workflow_id(number)) for number in range(3))
    assert mentions_of_starts(info) == Mentions(folders=folders)


@pytest.mark.parametrize(
    ("info", "needs_unnamed"),
    [
        pytest.param(schedule(*[FAILED] * 10, earlier=1), True, id="ten-failures-after-a-result"),
        pytest.param(schedule(COMPLETED, *[FAILED] * 9, earlier=1), False, id="nine-failures"),
        pytest.param(schedule(FAILED, FAILED), False, id="never-completed"),
        pytest.param(schedule(), False, id="never-started"),
    ],
)
async def test_a_result_of_an_unnamed_workflow_is_kept(info: ScheduleInfo, needs_unnamed: bool) -> None:
    earlier, run = stored(workflow_folder("acme:nightly-2026-11-01T02:00:00Z")), stored("run-1")
    references = References(await connect("127.0.0.1:1", is_lazy=True), [earlier, run])

    references.add(mentions_of_starts(info))

    assert references.cover(earlier) == needs_unnamed
    assert not references.cover(run)
