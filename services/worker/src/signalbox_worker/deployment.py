"""Worker versioning, when configured: this worker's build, and a current build for its deployment."""

import logging
from collections.abc import Sequence

from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.service import RPCError
from temporalio.worker import WorkerDeploymentConfig

from signalbox_core.errors import InvalidInput, Unavailable
from signalbox_core.pipeline import PipelineSpec
from signalbox_core.temporal.builds import Deployment
from signalbox_core.temporal.deployments import Change, MakeCurrent, WorkerDeployments
from signalbox_worker.settings import Settings

log = logging.getLogger(__name__)


def deployment_config(settings: Settings) -> WorkerDeploymentConfig | None:
    """Return the deployment options; None when versioning is off.

    Workflow types of no contract, such as the outbox, upgrade at their next workflow task.

    Raises:
        InvalidInput: only one of the two settings is present.
    """
    if settings.deployment_name is None and settings.build_id is None:
        return None
    if settings.deployment_name is None or settings.build_id is None:
        raise InvalidInput(
            "set both SIGNALBOX_WORKER_DEPLOYMENT_NAME and SIGNALBOX_WORKER_BUILD_ID, or neither",
            field="build_id",
        )
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(deployment_name=settings.deployment_name, build_id=settings.build_id),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.AUTO_UPGRADE,
    )


def warn_if_not_pinned(specs: Sequence[PipelineSpec], deployment: WorkerDeploymentConfig | None) -> None:
    """Log the pinned pipelines whose runs will move to new code, because this worker has no build."""
    pinned = sorted(spec.name for spec in specs if spec.versioning == "pinned")
    if pinned and deployment is None:
        log.warning(
            "pinned pipelines need SIGNALBOX_WORKER_DEPLOYMENT_NAME and SIGNALBOX_WORKER_BUILD_ID;"
            " their open runs continue on whatever code is deployed",
            extra={"pipelines": pinned},
        )


async def ensure_current(client: Client, version: WorkerDeploymentVersion) -> None:
    """Make `version` the current one if there is none: without a current version Temporal dispatches no task.

    Making a later build current is part of its rollout.

    Raises:
        Unavailable: Temporal does not respond, or does not permit the call.
        Conflict: Temporal refuses the change.
    """
    try:
        before = await WorkerDeployments(client).change(
            version.deployment_name,
            lambda deployment: first_build(deployment, version.build_id),
            may_be_new=True,
        )
    except RPCError as error:
        raise Unavailable(
            f"cannot read or change deployment {version.deployment_name}: {error.message}"
            f" ({error.status.name}); check the credentials of the worker"
        ) from error
    if before.current is None:
        log.info(
            "made the first version of the deployment current",
            extra={"deployment": version.deployment_name, "build": version.build_id},
        )


def first_build(deployment: Deployment, build_id: str) -> Change | None:
    """Decide whether this build becomes current: if the deployment has no current build."""
    return MakeCurrent(build_id=build_id, is_forced=True) if deployment.current is None else None
