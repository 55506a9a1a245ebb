"""Which workflows are runs of pipelines, and which are plain workflows."""

from datetime import UTC, datetime

import pytest
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.client import WorkflowExecution, WorkflowExecutionStatus
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.converter import DataConverter

from signalbox_core.temporal import names
from signalbox_gateway.runs.run_info import WorkflowRules, run_info_of

RULES = WorkflowRules(queue_tenants={"orders": "acme"}, pipelines=("echo",))
TENANT_MEMO = {names.MEMO_TENANT: "acme"}
CHILD_MEMO = {**TENANT_MEMO, names.MEMO_STARTED_BY: "lan"}
START_MEMO = {**CHILD_MEMO, names.MEMO_REQUEST_DIGEST: "d1"}
TENANT = SearchAttributePair(names.SEARCH_TENANT, "acme")
PIPELINE = SearchAttributePair(names.SEARCH_PIPELINE, "gone")


def workflow(
    workflow_id: str,
    memo: dict[str, str],
    *pairs: SearchAttributePair[str],
    kind: str = "OrderWorkflow",
    queue: str = "any",
) -> WorkflowExecution:
    converter = DataConverter()
    info = WorkflowExecutionInfo()
    for name, value in memo.items():
        info.memo.fields[name].CopyFrom(converter.payload_converter.to_payloads([value])[0])
    return WorkflowExecution(
        close_time=None,
        execution_time=None,
        history_length=9,
        id=workflow_id,
        namespace="default",
        parent_id=None,
        parent_run_id=None,
        root_id=None,
        root_run_id=None,
        raw_info=info,
        run_id="execution-1",
        search_attributes={},
        start_time=datetime(2026, 1, 2, tzinfo=UTC),
        status=WorkflowExecutionStatus.RUNNING,
        task_queue=queue,
        typed_search_attributes=TypedSearchAttributes(list(pairs)),
        workflow_type=kind,
        _context_free_data_converter=converter,
    )


@pytest.mark.parametrize(
    ("found", "run_id"),
    [
        pytest.param(workflow("acme:r1", START_MEMO, TENANT, PIPELINE), "r1", id="started by a gateway"),
        pytest.param(workflow("acme:r1", START_MEMO), "r1", id="not searchable"),
        pytest.param(workflow("r1", START_MEMO), "r1", id="of an earlier release"),
        pytest.param(workflow("acme:r1", TENANT_MEMO, TENANT, PIPELINE), "r1", id="child of a run"),
        pytest.param(workflow("acme:r1", CHILD_MEMO), "r1", id="child of a pipeline that is not installed"),
        pytest.param(workflow("acme:r1", TENANT_MEMO, kind="echo"), "r1", id="started with a client"),
        pytest.param(workflow("r1", TENANT_MEMO, kind="echo"), "r1", id="started with a client, without key"),
    ],
)
async def test_a_run_of_a_pipeline_is_recognised(found: WorkflowExecution, run_id: str) -> None:
    run = await run_info_of(found, RULES)

    assert run is not None
    assert (run.run_id, run.tenant, run.is_plain) == (run_id, "acme", False)


@pytest.mark.parametrize(
    ("found", "run_id"),
    [
        pytest.param(workflow("o1", TENANT_MEMO), "o1", id="tenant by memo"),
        pytest.param(workflow("acme:o1", TENANT_MEMO), "acme~3Ao1", id="tenant by memo, id with a colon"),
        pytest.param(workflow("o1", CHILD_MEMO), "o1", id="tenant and starter by memo"),
        pytest.param(workflow("acme:o1", {}, TENANT), "acme~3Ao1", id="tenant by search attribute"),
        pytest.param(workflow("o1", {}, queue="orders"), "o1", id="tenant by task queue"),
        pytest.param(workflow("acme:o1", CHILD_MEMO, queue="orders"), "acme~3Ao1", id="child of a run"),
        pytest.param(
            workflow("o1", TENANT_MEMO, kind="echo", queue="orders"), "o1", id="named as a pipeline is"
        ),
    ],
)
async def test_a_plain_workflow_is_recognised(found: WorkflowExecution, run_id: str) -> None:
    run = await run_info_of(found, RULES)

    assert run is not None
    assert (run.run_id, run.tenant, run.is_plain) == (run_id, "acme", True)


async def test_a_workflow_without_a_tenant_is_not_a_run() -> None:
    assert await run_info_of(workflow("o1", {}), RULES) is None
