"""Worker versioning, when configured: this worker's build, and a current version for its deployment."""

import logging
from datetime import timedelta
from typing import Final

from temporalio.api.workflowservice.v1 import (
    DescribeWorkerDeploymentRequest,
    SetWorkerDeploymentCurrentVersionRequest,
)
from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import WorkerDeploymentConfig

from signalbox_core.errors import InvalidInput, Unavailable
from signalbox_worker.settings import Settings

log = logging.getLogger(__name__)

_RPC: Final = timedelta(seconds=10)


def deployment_config(settings: Settings) -> WorkerDeploymentConfig | None:
    """Return the deployment options; None when versioning is off. Runs upgrade at their next workflow task.

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


async def ensure_current(client: Client, version: WorkerDeploymentVersion) -> None:
    """Make `version` the current one if there is none: without a current version Temporal dispatches no task.

    Making a later build current is part of its rollout.

    Raises:
        Unavailable: Temporal does not respond.
    """
    request = DescribeWorkerDeploymentRequest(
        namespace=client.namespace, deployment_name=version.deployment_name
    )
    try:
        try:
            response = await client.workflow_service.describe_worker_deployment(request, timeout=_RPC)
            if response.worker_deployment_info.routing_config.current_deployment_version.build_id:
                return
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
        first = SetWorkerDeploymentCurrentVersionRequest(
            namespace=client.namespace,
            deployment_name=version.deployment_name,
            build_id=version.build_id,
            identity=client.identity,
            ignore_missing_task_queues=True,
            allow_no_pollers=True,
        )
        await client.workflow_service.set_worker_deployment_current_version(first, timeout=_RPC)
        log.info(
            "made the first version of the deployment current",
            extra={"deployment": version.deployment_name, "build": version.build_id},
        )
    except RPCError as error:
        raise Unavailable(
            f"cannot read or set the current version of deployment {version.deployment_name}: {error}"
        ) from error
