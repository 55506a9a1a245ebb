"""Reads and changes Temporal's worker deployments: which builds of the workers get runs.

Temporal limits the rate of these calls, and refuses a change that is based on an outdated reading. Both are
retried here.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from msgspec import Struct
from temporalio.api.deployment.v1 import WorkerDeploymentVersion
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    DescribeWorkerDeploymentRequest,
    DescribeWorkerDeploymentVersionRequest,
    ListWorkerDeploymentsRequest,
    SetWorkerDeploymentCurrentVersionRequest,
    SetWorkerDeploymentRampingVersionRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from signalbox_core.errors import Conflict, NotFound, RateLimited, Unavailable
from signalbox_core.temporal.builds import Deployment, WorkerBuild, deployment_of

R = TypeVar("R")
PATIENCE: Final = timedelta(seconds=60)
"""How long a refused or unanswered call is retried."""
_CALL_TIMEOUT: Final = timedelta(seconds=10)
_FIRST_PAUSE_S, _MAX_PAUSE_S = 0.2, 5.0
_TRANSIENT: Final = frozenset(
    {
        RPCStatusCode.RESOURCE_EXHAUSTED,
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.ABORTED,
        RPCStatusCode.DEADLINE_EXCEEDED,
    }
)
_MAX_CONFLICTS: Final = 10
_CONFLICT: Final = "conflict token"
_MISSING_QUEUES: Final = "missing active task queues"
_PAGE_SIZE: Final = 100
POLLED_RECENTLY: Final = timedelta(seconds=75)
"""Longer than a long poll. Temporal lists a poller for five minutes after its last poll."""


class MakeCurrent(Struct, frozen=True, kw_only=True):
    """A change: all new runs, and those that upgrade automatically, go to this build.

    Attributes:
        is_forced: even if no worker polls for the build, or not for every task queue of the current one.
    """

    build_id: str
    is_forced: bool = False


class Ramp(Struct, frozen=True, kw_only=True):
    """A change: this percentage of the runs goes to the build. Without a build the ramp ends.

    Attributes:
        is_forced: even if no worker polls for the build, or not for every task queue of the current one.
    """

    build_id: str = ""
    percent: float = 0
    is_forced: bool = False


Change = MakeCurrent | Ramp
Decide = Callable[[Deployment], Change | None]
Check = Callable[[Deployment, Change], Awaitable[None]]


class WorkerDeployments:
    """Every method raises Unavailable when Temporal does not respond, or refuses the rate, for `patience`."""

    def __init__(self, client: Client, *, patience: timedelta = PATIENCE) -> None:
        self._client = client
        self._service = client.workflow_service
        self._patience = patience

    async def names(self) -> list[str]:
        """The names of all deployments of the namespace."""
        found: list[str] = []
        request = ListWorkerDeploymentsRequest(namespace=self._client.namespace, page_size=_PAGE_SIZE)
        while True:
            page = await self._call(self._service.list_worker_deployments, request)
            found += [item.name for item in page.worker_deployments]
            if not page.next_page_token:
                return sorted(found)
            request.next_page_token = page.next_page_token

    async def describe(self, name: str) -> Deployment:
        """Read a deployment.

        Raises:
            NotFound: no worker has ever polled for it.
        """
        request = DescribeWorkerDeploymentRequest(namespace=self._client.namespace, deployment_name=name)
        found = await self._call(self._service.describe_worker_deployment, request)
        return deployment_of(found.worker_deployment_info, found.conflict_token)

    async def change(
        self, name: str, decide: Decide, *, check: Check | None = None, may_be_new: bool = False
    ) -> Deployment:
        """Carry out what `decide` returns for the deployment, which is read anew after a concurrent change.

        Args:
            check: is awaited before each attempt at the change, and refuses it by raising.
            may_be_new: a deployment that does not exist counts as one without builds, and the change creates
                it.

        Returns:
            The deployment as it was before the change, or as it is when `decide` returned None.

        Raises:
            NotFound: no worker has ever polled for the deployment.
            Conflict: Temporal refuses the change, or others keep changing the deployment.
        """
        for _ in range(_MAX_CONFLICTS):
            deployment = await (self._describe_or_new(name) if may_be_new else self.describe(name))
            change = decide(deployment)
            if change is None:
                return deployment
            if check is not None:
                await check(deployment, change)
            if await self._apply(deployment, change):
                return deployment
        raise Conflict(f"deployment {name} is being changed by others; try again")

    async def task_queues(self, name: str, build_id: str) -> list[str]:
        """The task queues that workers of a build have ever polled."""
        request = DescribeWorkerDeploymentVersionRequest(
            namespace=self._client.namespace,
            deployment_version=WorkerDeploymentVersion(deployment_name=name, build_id=build_id),
        )
        found = await self._call(self._service.describe_worker_deployment_version, request)
        return sorted({queue.name for queue in found.version_task_queues})

    async def polling_builds(self, task_queue: str) -> frozenset[WorkerBuild]:
        """The builds whose workers poll a task queue for workflow tasks."""
        request = DescribeTaskQueueRequest(
            namespace=self._client.namespace,
            task_queue=TaskQueue(name=task_queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
        found = await self._call(self._service.describe_task_queue, request)
        since = datetime.now(UTC) - POLLED_RECENTLY
        return frozenset(
            WorkerBuild(poller.deployment_options.deployment_name, poller.deployment_options.build_id)
            for poller in found.pollers
            if poller.deployment_options.build_id and poller.last_access_time.ToDatetime(UTC) >= since
        )

    async def _describe_or_new(self, name: str) -> Deployment:
        try:
            return await self.describe(name)
        except NotFound:
            return Deployment(name=name)

    async def _apply(self, deployment: Deployment, change: Change) -> bool:
        """Make a change; False: the deployment has changed since it was read."""
        common: dict[str, Any] = {
            "namespace": self._client.namespace,
            "deployment_name": deployment.name,
            "build_id": change.build_id,
            "conflict_token": deployment.token,
            "identity": self._client.identity,
            "ignore_missing_task_queues": change.is_forced,
            "allow_no_pollers": change.is_forced,
        }
        try:
            if isinstance(change, Ramp):
                ramp = SetWorkerDeploymentRampingVersionRequest(**common, percentage=change.percent)
                await self._call(self._service.set_worker_deployment_ramping_version, ramp)
            else:
                current = SetWorkerDeploymentCurrentVersionRequest(**common)
                await self._call(self._service.set_worker_deployment_current_version, current)
        except _ConflictingChange:
            return False
        return True

    async def _call(self, call: Callable[..., Awaitable[R]], request: Any) -> R:
        try:
            return await retry_transient(call, request, self._patience)
        except RPCError as error:
            raise _translated(error, request) from error


async def retry_transient(
    call: Callable[..., Awaitable[R]],
    request: Any,
    patience: timedelta,
    *,
    first_pause_s: float = _FIRST_PAUSE_S,
) -> R:
    """Call Temporal, and again with growing pauses while it is unavailable or refuses the rate.

    Raises:
        RPCError: Temporal refuses the request, or `patience` is over.
    """
    loop = asyncio.get_running_loop()
    end, pause_s = loop.time() + patience.total_seconds(), first_pause_s
    while True:
        try:
            return await call(request, timeout=_CALL_TIMEOUT)
        except RPCError as error:
            if error.status not in _TRANSIENT or loop.time() + pause_s > end:
                raise
        await asyncio.sleep(pause_s * random.uniform(0.5, 1))
        pause_s = min(2 * pause_s, _MAX_PAUSE_S)


class _ConflictingChange(Conflict):
    """The deployment has changed since it was read."""


def _translated(error: RPCError, request: Any) -> Exception:
    name = getattr(request, "deployment_name", "") or request.DESCRIPTOR.name
    match error.status:
        case RPCStatusCode.NOT_FOUND:
            return NotFound(
                f"{error.message}; Temporal learns of a deployment and its builds from the first poll of"
                " their workers"
            )
        case RPCStatusCode.FAILED_PRECONDITION if _CONFLICT in error.message:
            return _ConflictingChange(error.message)
        case RPCStatusCode.FAILED_PRECONDITION | RPCStatusCode.INVALID_ARGUMENT:
            remedy = _remedy(error)
            return Conflict(f"Temporal refuses to change deployment {name}: {error.message}{remedy}")
        case RPCStatusCode.RESOURCE_EXHAUSTED:
            return RateLimited(
                f"Temporal limits the rate of calls for {name}: {error.message}; try again in a minute",
                retry_after_s=_CALL_TIMEOUT.total_seconds(),
            )
        case status if status in _TRANSIENT:
            return Unavailable(f"Temporal does not respond: {error.message}")
        case _:
            return error


def _remedy(error: RPCError) -> str:
    if _MISSING_QUEUES not in error.message:
        return ""
    return "; start workers of the build for them, or use --force: tasks in those queues then wait"
