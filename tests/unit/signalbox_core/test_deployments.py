"""Worker deployments: what Temporal's descriptions mean, and which refusals are retried."""

from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.deployment.v1 import RoutingConfig, WorkerDeploymentInfo, WorkerDeploymentVersion
from temporalio.api.enums.v1 import VersioningBehavior, WorkerDeploymentVersionStatus
from temporalio.api.workflow.v1 import (
    DeploymentVersionTransition,
    VersioningOverride,
    WorkflowExecutionVersioningInfo,
)
from temporalio.service import RPCError, RPCStatusCode

from signalbox_core.temporal.builds import (
    Build,
    BuildState,
    Deployment,
    WorkerBuild,
    deployment_of,
    pinned_build,
    serving_build,
)
from signalbox_core.temporal.deployments import retry_transient

OLD = WorkerDeploymentVersion(deployment_name="shop", build_id="b1")
NEW = WorkerDeploymentVersion(deployment_name="shop", build_id="b2")
PINNED = VersioningBehavior.VERSIONING_BEHAVIOR_PINNED
UPGRADES = VersioningBehavior.VERSIONING_BEHAVIOR_AUTO_UPGRADE
SHORT, LONG = timedelta(seconds=-1), timedelta(seconds=30)


def at(second: int) -> Timestamp:
    return Timestamp(seconds=second)


def test_a_deployment_has_its_newest_build_first_and_each_in_its_state() -> None:
    status, summary = WorkerDeploymentVersionStatus, WorkerDeploymentInfo.WorkerDeploymentVersionSummary
    info = WorkerDeploymentInfo(
        name="shop",
        routing_config=RoutingConfig(
            current_deployment_version=OLD,
            current_version_changed_time=at(2),
            ramping_deployment_version=NEW,
            ramping_version_changed_time=at(4),
            ramping_version_percentage=10,
        ),
        version_summaries=[
            summary(
                deployment_version=OLD,
                status=status.WORKER_DEPLOYMENT_VERSION_STATUS_CURRENT,
                create_time=at(1),
                last_current_time=at(2),
            ),
            summary(
                deployment_version=NEW,
                status=status.WORKER_DEPLOYMENT_VERSION_STATUS_RAMPING,
                create_time=at(3),
            ),
        ],
    )
    since = datetime.fromtimestamp(2, UTC)
    assert deployment_of(info, b"token") == Deployment(
        name="shop",
        builds=(
            Build(build_id="b2", state=BuildState.RAMPING, percent=10, since=datetime.fromtimestamp(4, UTC)),
            Build(build_id="b1", state=BuildState.CURRENT, percent=100, since=since, last_current_at=since),
        ),
        token=b"token",
    )


def test_one_build_is_current_although_the_summaries_follow_the_routing_later() -> None:
    status, summary = WorkerDeploymentVersionStatus, WorkerDeploymentInfo.WorkerDeploymentVersionSummary
    current, inactive = (
        status.WORKER_DEPLOYMENT_VERSION_STATUS_CURRENT,
        status.WORKER_DEPLOYMENT_VERSION_STATUS_INACTIVE,
    )
    for late in (current, inactive):
        info = WorkerDeploymentInfo(
            name="shop",
            routing_config=RoutingConfig(current_deployment_version=OLD, current_version_changed_time=at(9)),
            version_summaries=[
                summary(deployment_version=OLD, status=late, create_time=at(1)),
                summary(deployment_version=NEW, status=current, create_time=at(3), last_current_time=at(4)),
            ],
        )
        found = deployment_of(info)
        assert [(build.build_id, build.state) for build in found.builds] == [
            ("b2", BuildState.DRAINING),
            ("b1", BuildState.CURRENT),
        ]
        assert found.current is not None
        assert found.current.since == datetime.fromtimestamp(9, UTC)


@pytest.mark.parametrize(
    ("info", "pinned", "serving"),
    [
        pytest.param(WorkflowExecutionVersioningInfo(), None, None, id="unversioned"),
        pytest.param(
            WorkflowExecutionVersioningInfo(behavior=PINNED, deployment_version=OLD), "b1", "b1", id="pinned"
        ),
        pytest.param(
            WorkflowExecutionVersioningInfo(behavior=UPGRADES, deployment_version=OLD),
            None,
            "b1",
            id="upgrades",
        ),
        pytest.param(
            WorkflowExecutionVersioningInfo(
                behavior=UPGRADES,
                deployment_version=OLD,
                version_transition=DeploymentVersionTransition(deployment_version=NEW),
            ),
            None,
            "b2",
            id="moves to the new build",
        ),
        pytest.param(
            WorkflowExecutionVersioningInfo(
                behavior=UPGRADES,
                deployment_version=OLD,
                versioning_override=VersioningOverride(pinned=VersioningOverride.PinnedOverride(version=NEW)),
            ),
            "b2",
            "b2",
            id="pinned by an operator",
        ),
        pytest.param(
            WorkflowExecutionVersioningInfo(
                behavior=PINNED,
                deployment_version=OLD,
                versioning_override=VersioningOverride(auto_upgrade=True),
            ),
            None,
            "b1",
            id="released by an operator",
        ),
    ],
)
def test_the_build_of_an_execution(
    info: WorkflowExecutionVersioningInfo, pinned: str | None, serving: str | None
) -> None:
    expected = [WorkerBuild("shop", build) if build else None for build in (pinned, serving)]
    assert [pinned_build(info), serving_build(info)] == expected


class Refusals:
    """A call of Temporal that is refused some times and then answered."""

    def __init__(self, status: RPCStatusCode, times: int) -> None:
        self.status, self.left, self.calls = status, times, 0

    async def __call__(self, request: str, *, timeout: timedelta) -> str:  # noqa: ASYNC109 - Temporal's
        assert timeout < LONG
        self.calls += 1
        if self.left:
            self.left -= 1
            raise RPCError("rate limit exceeded", self.status, b"")
        return f"done: {request}"


@pytest.mark.parametrize("status", [RPCStatusCode.RESOURCE_EXHAUSTED, RPCStatusCode.UNAVAILABLE])
async def test_a_refused_rate_and_an_outage_are_retried(status: RPCStatusCode) -> None:
    call = Refusals(status, 2)
    assert (await retry_transient(call, "a", LONG, first_pause_s=0), call.calls) == ("done: a", 3)


@pytest.mark.parametrize(
    ("status", "patience"),
    [
        pytest.param(RPCStatusCode.RESOURCE_EXHAUSTED, SHORT, id="patience is over"),
        pytest.param(RPCStatusCode.NOT_FOUND, LONG, id="would fail again"),
    ],
)
async def test_other_refusals_are_not_retried(status: RPCStatusCode, patience: timedelta) -> None:
    call = Refusals(status, 1)
    with pytest.raises(RPCError):
        await retry_transient(call, "a", patience, first_pause_s=0)
    assert call.calls == 1
