"""The builds of a worker deployment, converted from Temporal's descriptions. Pure."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp
from msgspec import Struct
from temporalio.api.deployment.v1 import RoutingConfig, WorkerDeploymentInfo, WorkerDeploymentVersion
from temporalio.api.enums.v1 import VersioningBehavior, WorkerDeploymentVersionStatus
from temporalio.api.workflow.v1 import WorkflowExecutionVersioningInfo


class WorkerBuild(Struct, frozen=True):
    """A build of a deployment, as workers report it."""

    deployment_name: str
    build_id: str


class BuildState(StrEnum):
    """What Temporal sends to a build."""

    CURRENT = "current"
    RAMPING = "ramping"
    """A percentage of the runs."""
    DRAINING = "draining"
    """Only the runs that are pinned to it."""
    DRAINED = "drained"
    """Nothing: no open run is pinned to it."""
    INACTIVE = "inactive"
    """Nothing: it has never been current or ramping."""


_STATES: Final = {
    WorkerDeploymentVersionStatus.WORKER_DEPLOYMENT_VERSION_STATUS_CURRENT: BuildState.CURRENT,
    WorkerDeploymentVersionStatus.WORKER_DEPLOYMENT_VERSION_STATUS_RAMPING: BuildState.RAMPING,
    WorkerDeploymentVersionStatus.WORKER_DEPLOYMENT_VERSION_STATUS_DRAINING: BuildState.DRAINING,
    WorkerDeploymentVersionStatus.WORKER_DEPLOYMENT_VERSION_STATUS_DRAINED: BuildState.DRAINED,
}


class Build(Struct, frozen=True, kw_only=True):
    """One build of a deployment.

    Attributes:
        percent: of the runs, while it is ramping; 100 while it is current.
        since: when the state began, except that it may have drained later; None while inactive.
        last_current_at: when it last became current; None: never.
    """

    build_id: str
    state: BuildState
    percent: float = 0
    since: datetime | None = None
    last_current_at: datetime | None = None


class Deployment(Struct, frozen=True, kw_only=True):
    """A deployment and its builds, the newest first.

    Attributes:
        token: of this reading; a change based on it is refused once the deployment has changed.
    """

    name: str
    builds: tuple[Build, ...] = ()
    token: bytes = b""

    def build(self, build_id: str) -> Build | None:
        return next((build for build in self.builds if build.build_id == build_id), None)

    def _in_state(self, state: BuildState) -> Build | None:
        return next((build for build in self.builds if build.state is state), None)

    @property
    def current(self) -> Build | None:
        return self._in_state(BuildState.CURRENT)

    @property
    def ramping(self) -> Build | None:
        return self._in_state(BuildState.RAMPING)


def deployment_of(info: WorkerDeploymentInfo, token: bytes = b"") -> Deployment:
    """Convert Temporal's description."""
    ordered = sorted(info.version_summaries, key=lambda item: item.create_time.ToNanoseconds(), reverse=True)
    return Deployment(
        name=info.name, builds=tuple(_build(item, info.routing_config) for item in ordered), token=token
    )


def _build(summary: WorkerDeploymentInfo.WorkerDeploymentVersionSummary, routing: RoutingConfig) -> Build:
    build_id = summary.deployment_version.build_id
    state = _state(summary, routing)
    percents = {BuildState.CURRENT: 100.0, BuildState.RAMPING: routing.ramping_version_percentage}
    since = {
        BuildState.CURRENT: routing.current_version_changed_time,
        BuildState.RAMPING: routing.ramping_version_changed_time,
        BuildState.INACTIVE: None,
    }.get(state, summary.last_deactivation_time)
    return Build(
        build_id=build_id,
        state=state,
        percent=percents.get(state, 0),
        since=_instant(since),
        last_current_at=_instant(summary.last_current_time),
    )


def _state(
    summary: WorkerDeploymentInfo.WorkerDeploymentVersionSummary, routing: RoutingConfig
) -> BuildState:
    """The routing is exact. The summaries follow later: for a while two of them can be current."""
    build_id = summary.deployment_version.build_id
    if build_id == routing.current_deployment_version.build_id:
        return BuildState.CURRENT
    if build_id == routing.ramping_deployment_version.build_id:
        return BuildState.RAMPING
    state = _STATES.get(summary.status, BuildState.INACTIVE)
    return BuildState.DRAINING if state in (BuildState.CURRENT, BuildState.RAMPING) else state


def _instant(at: Timestamp | None) -> datetime | None:
    return at.ToDatetime(UTC) if at is not None and at.ToNanoseconds() else None


def pinned_build(info: WorkflowExecutionVersioningInfo) -> WorkerBuild | None:
    """The build that an execution is pinned to, by its contract or by an operator; None: it upgrades."""
    override = info.versioning_override
    if override.auto_upgrade:
        return None
    if override.HasField("pinned"):
        return _worker_build(override.pinned.version)
    if info.behavior != VersioningBehavior.VERSIONING_BEHAVIOR_PINNED:
        return None
    return _worker_build(info.deployment_version)


def serving_build(info: WorkflowExecutionVersioningInfo) -> WorkerBuild | None:
    """The build that executes a workflow: the one that it moves to, else that of its last workflow task."""
    if info.HasField("version_transition"):
        return _worker_build(info.version_transition.deployment_version)
    return pinned_build(info) or _worker_build(info.deployment_version)


def _worker_build(version: WorkerDeploymentVersion) -> WorkerBuild | None:
    return WorkerBuild(version.deployment_name, version.build_id) if version.build_id else None
