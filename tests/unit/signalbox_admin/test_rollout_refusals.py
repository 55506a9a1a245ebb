"""A rollout when Temporal refuses calls, workers are gone, or runs end while they are being checked."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import WorkflowExecution, WorkflowType
from temporalio.api.deployment.v1 import (
    RoutingConfig,
    WorkerDeploymentInfo,
    WorkerDeploymentOptions,
    WorkerDeploymentVersion,
)
from temporalio.api.enums.v1 import EventType, WorkerDeploymentVersionStatus, WorkflowTaskFailedCause
from temporalio.api.history.v1 import History, HistoryEvent, WorkflowTaskFailedEventAttributes
from temporalio.api.taskqueue.v1 import PollerInfo
from temporalio.api.workflow.v1 import (
    PendingWorkflowTaskInfo,
    WorkflowExecutionInfo,
    WorkflowExecutionVersioningInfo,
)
from temporalio.api.workflowservice.v1 import (
    CountWorkflowExecutionsResponse,
    DescribeTaskQueueResponse,
    DescribeWorkerDeploymentResponse,
    DescribeWorkerDeploymentVersionResponse,
    DescribeWorkflowExecutionResponse,
    GetWorkflowExecutionHistoryReverseResponse,
    ListWorkflowExecutionsResponse,
    SetWorkerDeploymentCurrentVersionResponse,
    SetWorkerDeploymentRampingVersionResponse,
)
from temporalio.service import RPCError, RPCStatusCode

from signalbox_admin.checks.deployments import check_deployments
from signalbox_admin.checks.findings import Level
from signalbox_admin.rollout import EXIT_ROLLED_BACK, roll_back
from signalbox_admin.versions.canary import BlockedRun, CanaryWatch
from signalbox_admin.versions.changes import back, canary, promote
from signalbox_admin.versions.live_workers import require_workers
from signalbox_core.errors import Conflict, InvalidInput
from signalbox_core.ids import run_key
from signalbox_core.temporal.builds import WorkerBuild
from signalbox_core.temporal.deployments import WorkerDeployments
from support.fakes.scripted_temporal import refusal, scripted_client

OLD = WorkerDeploymentVersion(deployment_name="shop", build_id="b1")
NEW = WorkerDeploymentVersion(deployment_name="shop", build_id="b2")
BEGAN = datetime(2026, 11, 30, 18, tzinfo=UTC)
MISSING = "proposed current version 'shop:b1' is missing active task queues from the current version"


def deployment(*, ramping: bool = False) -> DescribeWorkerDeploymentResponse:
    """The build b2 is current after b1, or is ramping."""
    status, summary = WorkerDeploymentVersionStatus, WorkerDeploymentInfo.WorkerDeploymentVersionSummary
    current = status.WORKER_DEPLOYMENT_VERSION_STATUS_CURRENT
    old, new = (
        (current, status.WORKER_DEPLOYMENT_VERSION_STATUS_RAMPING)
        if ramping
        else (status.WORKER_DEPLOYMENT_VERSION_STATUS_DRAINED, current)
    )
    return DescribeWorkerDeploymentResponse(
        worker_deployment_info=WorkerDeploymentInfo(
            name="shop",
            version_summaries=[
                summary(deployment_version=OLD, status=old, create_time=at(1), last_current_time=at(2)),
                summary(deployment_version=NEW, status=new, create_time=at(3), last_current_time=at(4)),
            ],
            routing_config=RoutingConfig(
                current_deployment_version=OLD if ramping else NEW,
                ramping_deployment_version=NEW if ramping else None,
            ),
        )
    )


def at(second: int) -> Timestamp:
    return Timestamp(seconds=second)


def queues(*names: str) -> DescribeWorkerDeploymentVersionResponse:
    task_queue = DescribeWorkerDeploymentVersionResponse.VersionTaskQueue
    return DescribeWorkerDeploymentVersionResponse(
        version_task_queues=[task_queue(name=name) for name in names]
    )


def pollers(**builds: str) -> Any:
    """The build whose worker polls each queue."""

    def answer(request: Any) -> DescribeTaskQueueResponse:
        now = Timestamp()
        now.GetCurrentTime()
        build = builds.get(request.task_queue.name, "")
        options = WorkerDeploymentOptions(deployment_name="shop", build_id=build)
        return DescribeTaskQueueResponse(
            pollers=[PollerInfo(last_access_time=now, deployment_options=options)]
        )

    return answer


@pytest.mark.parametrize("step", [promote, back])
async def test_a_build_without_workers_does_not_become_current(step: Any) -> None:
    client, connection = scripted_client(
        describe_worker_deployment=deployment(),
        describe_worker_deployment_version=queues("ads", "invoices"),
        describe_task_queue=pollers(ads="b1", invoices="b2"),
        set_worker_deployment_current_version=SetWorkerDeploymentCurrentVersionResponse(),
    )
    deployments = WorkerDeployments(client)
    build = "b2" if step is back else "b1"

    with pytest.raises(
        Conflict, match="no workers of build b1 of shop poll invoices: start them, or use --f"
    ):
        await deployments.change("shop", lambda found: step(found, build), check=require_workers(deployments))
    assert not connection.calls("set_worker_deployment_current_version")

    await deployments.change(
        "shop", lambda found: step(found, build, is_forced=True), check=require_workers(deployments)
    )
    (change,) = connection.calls("set_worker_deployment_current_version")
    assert (change.build_id, change.ignore_missing_task_queues, change.allow_no_pollers) == ("b1", True, True)


async def test_a_canary_without_workers_gets_no_runs() -> None:
    client, connection = scripted_client(
        describe_worker_deployment=deployment(),
        describe_worker_deployment_version=queues("ads", "invoices"),
        describe_task_queue=pollers(ads="b1", invoices="b2"),
        set_worker_deployment_ramping_version=SetWorkerDeploymentRampingVersionResponse(),
    )
    deployments = WorkerDeployments(client)
    check = require_workers(deployments)

    with pytest.raises(
        Conflict, match="no workers of build b1 of shop poll invoices: start them, or use --f"
    ):
        await deployments.change("shop", lambda found: canary(found, "b1", 10), check=check)
    assert not connection.calls("set_worker_deployment_ramping_version")

    await deployments.change("shop", lambda found: canary(found, "b1", 10, is_forced=True), check=check)
    (change,) = connection.calls("set_worker_deployment_ramping_version")
    assert (change.build_id, change.percentage, change.allow_no_pollers) == ("b1", 10, True)


async def test_a_canary_ends_although_its_workers_are_gone() -> None:
    client, connection = scripted_client(
        describe_worker_deployment=deployment(ramping=True),
        set_worker_deployment_ramping_version=SetWorkerDeploymentRampingVersionResponse(),
    )
    deployments = WorkerDeployments(client)
    await deployments.change("shop", lambda found: back(found, "b2"), check=require_workers(deployments))
    (change,) = connection.calls("set_worker_deployment_ramping_version")
    assert change.build_id == ""


async def test_a_build_with_workers_becomes_current() -> None:
    client, connection = scripted_client(
        describe_worker_deployment=deployment(),
        describe_worker_deployment_version=queues("ads"),
        describe_task_queue=pollers(ads="b1"),
        set_worker_deployment_current_version=SetWorkerDeploymentCurrentVersionResponse(),
    )
    deployments = WorkerDeployments(client)
    await deployments.change("shop", lambda found: back(found, "b2"), check=require_workers(deployments))
    (change,) = connection.calls("set_worker_deployment_current_version")
    assert (change.build_id, change.ignore_missing_task_queues) == ("b1", False)


async def test_a_queue_that_the_earlier_build_lacks_is_refused_with_the_option() -> None:
    client, _ = scripted_client(
        describe_worker_deployment=deployment(),
        set_worker_deployment_current_version=refusal(RPCStatusCode.FAILED_PRECONDITION, MISSING),
    )
    with pytest.raises(Conflict, match=r"missing active task queues.*or use --force"):
        await WorkerDeployments(client).change("shop", lambda found: back(found, "b2"))


def execution(run_id: str) -> WorkflowExecutionInfo:
    return WorkflowExecutionInfo(
        execution=WorkflowExecution(workflow_id=run_key("acme", run_id), run_id=run_id),
        type=WorkflowType(name="invoice_import"),
    )


def described(run_id: str) -> DescribeWorkflowExecutionResponse:
    info = execution(run_id)
    info.versioning_info.CopyFrom(WorkflowExecutionVersioningInfo(deployment_version=NEW))
    return DescribeWorkflowExecutionResponse(
        workflow_execution_info=info, pending_workflow_task=PendingWorkflowTaskInfo(attempt=3)
    )


FAILED = GetWorkflowExecutionHistoryReverseResponse(
    history=History(
        events=[
            HistoryEvent(
                event_type=EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED,
                workflow_task_failed_event_attributes=WorkflowTaskFailedEventAttributes(
                    cause=WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR
                ),
            )
        ]
    )
)


def watch(answers: dict[str, DescribeWorkflowExecutionResponse | RPCError]) -> CanaryWatch:
    """A watch that finds these runs."""
    client, _ = scripted_client(
        list_workflow_executions=ListWorkflowExecutionsResponse(executions=map(execution, answers)),
        describe_workflow_execution=lambda request: answers[request.execution.run_id],
        get_workflow_execution_history_reverse=FAILED,
    )
    return CanaryWatch(client, WorkerBuild("shop", "b2"), BEGAN)


GONE = refusal(RPCStatusCode.NOT_FOUND)
DENIED = refusal(RPCStatusCode.PERMISSION_DENIED, "only for operators")
LATE = refusal(RPCStatusCode.DEADLINE_EXCEEDED)


@pytest.mark.parametrize("error", [GONE, DENIED, LATE])
async def test_a_blocked_run_is_found_although_another_cannot_be_read(error: RPCError) -> None:
    found = await watch({"r1": error, "r2": described("r2"), "r3": error}).blocked()
    assert [run.run_id for run in found] == ["r2"]


async def test_a_run_that_has_ended_is_not_blocked_and_other_errors_are_raised() -> None:
    assert await watch({"r1": GONE}).blocked() == []
    with pytest.raises(RPCError) as raised:
        await watch({"r1": GONE, "r2": LATE}).blocked()
    assert raised.value is LATE


@pytest.mark.parametrize(
    "status",
    [RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNAUTHENTICATED, RPCStatusCode.INVALID_ARGUMENT],
)
async def test_a_refusal_that_will_not_pass_ends_the_watch_at_once(status: RPCStatusCode) -> None:
    with pytest.raises(InvalidInput, match=f"only for operators .{status.name}.; check the permissions"):
        await watch({"r1": refusal(status, "only for operators")}).watch(timedelta(hours=1))


BLOCKED = [BlockedRun(tenant="acme", run_id="r1", pipeline="invoice_import", reason="broken")]


@pytest.mark.parametrize(
    ("count", "printed"),
    [
        pytest.param(CountWorkflowExecutionsResponse(count=7), "7 open runs are pinned to it", id="counted"),
        pytest.param(LATE, "how many open runs are pinned to it is unknown", id="not counted"),
    ],
)
async def test_a_rollback_has_its_exit_code_whether_or_not_runs_can_be_counted(
    count: CountWorkflowExecutionsResponse | RPCError, printed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    client, _ = scripted_client(
        describe_worker_deployment=deployment(ramping=True),
        set_worker_deployment_ramping_version=SetWorkerDeploymentRampingVersionResponse(),
        count_workflow_executions=count,
    )
    assert await roll_back(client, "shop", "b2", BLOCKED) == EXIT_ROLLED_BACK
    assert printed in capsys.readouterr().out


async def test_the_blocked_runs_are_printed_although_the_rollback_fails(
    capsys: pytest.CaptureFixture[str],
) -> None:
    client, _ = scripted_client(describe_worker_deployment=DENIED)
    with pytest.raises(RPCError):
        await roll_back(client, "shop", "b2", BLOCKED)
    assert "blocked  acme  r1" in capsys.readouterr().out


@pytest.mark.parametrize("status", [RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.INVALID_ARGUMENT])
async def test_doctor_reports_that_it_cannot_read_the_builds(status: RPCStatusCode) -> None:
    client, _ = scripted_client(list_worker_deployments=refusal(status, "only for operators"))
    (finding,) = await check_deployments(client)
    assert finding.level is Level.ERROR
    assert finding.detail.startswith("the builds cannot be read: ")
    assert "only for operators" in finding.detail
    assert finding.remedy == "check the permissions, then try again"
