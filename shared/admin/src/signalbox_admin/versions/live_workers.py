"""Refuses to give runs to a build without running workers."""

from functools import partial

from signalbox_core.errors import Conflict
from signalbox_core.temporal.builds import Deployment, WorkerBuild
from signalbox_core.temporal.deployments import Change, Check, WorkerDeployments


def require_workers(deployments: WorkerDeployments) -> Check:
    """A check for `WorkerDeployments.change`.

    Temporal compares only the queues that builds have ever polled, and so accepts a build without workers.
    """
    return partial(_require_workers, deployments)


async def _require_workers(deployments: WorkerDeployments, deployment: Deployment, change: Change) -> None:
    if not change.build_id or change.is_forced:
        # The end of a ramp needs no workers.
        return
    build = WorkerBuild(deployment.name, change.build_id)
    queues = await deployments.task_queues(build.deployment_name, build.build_id)
    missing = [queue for queue in queues if build not in await deployments.polling_builds(queue)]
    if missing:
        raise Conflict(
            f"no workers of build {build.build_id} of {build.deployment_name} poll {', '.join(missing)}:"
            " start them, or use --force"
        )
