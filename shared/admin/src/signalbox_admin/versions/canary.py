"""Watches a new build: finds runs that are blocked on it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct
from temporalio.client import Client, WorkflowExecution
from temporalio.service import RPCError, RPCStatusCode

from signalbox_core.errors import InvalidInput, Unavailable
from signalbox_core.ids import run_id_of, tenant_of
from signalbox_core.temporal.builds import WorkerBuild, serving_build
from signalbox_core.temporal.task_failures import TaskFailure, failure_condition, last_task_failure

CHECK_EVERY: Final = timedelta(seconds=5)
_OPEN: Final = "ExecutionStatus = 'Running'"
_PINNED: Final = "TemporalWorkflowVersioningBehavior = 'Pinned'"
_REPORTED: Final = f"{_OPEN} AND TemporalReportedProblems IS NOT NULL"
"""Temporal marks the runs whose workflow task failed several times in a row."""
_UPGRADES: Final = f"{_OPEN} AND TemporalWorkflowVersioningBehavior = 'AutoUpgrade'"
_MAX_CHECKED: Final = 100
"""Of each kind and round: the newest runs, the newest that upgrade, and those that Temporal reports."""
_MAX_CONCURRENCY: Final = 8
_CALL_TIMEOUT: Final = timedelta(seconds=10)
_TIMEOUTS_BEFORE_BLOCKED: Final = 3
"""A restarted worker causes one."""
_HARMLESS: Final = frozenset({"unhandled_command", "force_close_command", "failover_close_command"})
"""Causes that Temporal's own scheduling has."""
_PERMANENT: Final = frozenset(
    {RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNAUTHENTICATED, RPCStatusCode.INVALID_ARGUMENT}
)


class BlockedRun(Struct, frozen=True, kw_only=True):
    """A run whose workflow task fails on the new build."""

    tenant: str
    run_id: str
    pipeline: str
    reason: str


class CanaryWatch:
    """Looks for blocked runs of one build.

    Args:
        began: when the build began to get runs.
    """

    def __init__(self, client: Client, build: WorkerBuild, began: datetime) -> None:
        self._client = client
        self._build = build
        self._began = began

    async def watch(self, duration: timedelta) -> list[BlockedRun]:
        """Check every five seconds until a run is blocked, at most for `duration`.

        Raises:
            InvalidInput: Temporal refuses to list or describe runs.
            Unavailable: Temporal did not respond to the last check.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + duration.total_seconds()
        while True:
            error: RPCError | None = None
            try:
                if blocked := await self.blocked():
                    return blocked
            except RPCError as raised:
                if raised.status in _PERMANENT:
                    raise InvalidInput(
                        f"Temporal refuses to list or describe runs: {raised.message}"
                        f" ({raised.status.name}); check the permissions"
                    ) from raised
                error = raised
            if loop.time() + CHECK_EVERY.total_seconds() > end:
                break
            await asyncio.sleep(CHECK_EVERY.total_seconds())
        if error is not None:
            raise Unavailable(f"Temporal does not respond: {error.message}") from error
        return []

    async def blocked(self) -> list[BlockedRun]:
        """The blocked runs among the newest, the newest that upgrade and those that Temporal reports.

        Raises:
            RPCError: some runs could not be checked, and none of the others is blocked.
        """
        slots = asyncio.Semaphore(_MAX_CONCURRENCY)

        async def check(found: WorkflowExecution) -> BlockedRun | None:
            async with slots:
                return await self._check(found)

        candidates = {found.id: found async for found in self._candidates()}
        checked = await asyncio.gather(
            *(check(found) for found in candidates.values()), return_exceptions=True
        )
        blocked = [run for run in checked if isinstance(run, BlockedRun)]
        errors = [error for error in checked if isinstance(error, BaseException) and not _is_gone(error)]
        if errors and not blocked:
            raise errors[0]
        return blocked

    async def count(self) -> int:
        """How many runs the build has executed since it began to get runs."""
        query = f"{version_query(self._build)} AND StartTime >= '{self._began.isoformat()}'"
        return (await self._client.count_workflows(query)).count

    async def _candidates(self) -> AsyncIterator[WorkflowExecution]:
        started = f"{_OPEN} AND StartTime >= '{self._began.isoformat()}'"
        for query in (started, _UPGRADES, _REPORTED):
            async for found in self._client.list_workflows(query, limit=_MAX_CHECKED):
                yield found

    async def _check(self, found: WorkflowExecution) -> BlockedRun | None:
        handle = self._client.get_workflow_handle(found.id, run_id=found.run_id)
        described = (await handle.describe(rpc_timeout=_CALL_TIMEOUT)).raw_description
        attempt = described.pending_workflow_task.attempt
        if attempt < 2 or serving_build(described.workflow_execution_info.versioning_info) != self._build:
            return None
        reason = await self._reason(found.id, attempt)
        if reason is None:
            return None
        return BlockedRun(
            tenant=tenant_of(found.id) or "",
            run_id=run_id_of(found.id),
            pipeline=found.workflow_type,
            reason=reason,
        )

    async def _reason(self, workflow_id: str, attempt: int) -> str | None:
        """Why the workflow task fails; None: not because of the code."""
        try:
            failure = await last_task_failure(self._client, workflow_id, deadline=_CALL_TIMEOUT)
        except Unavailable as error:
            # Without the payload keys the failure cannot be read; the canary ends all the same.
            return f"the workflow task failed; why cannot be read: {error.detail}"
        if failure is None or not is_blocking(failure, attempt):
            return None
        return failure_condition(failure, None).reason


def _is_gone(error: BaseException) -> bool:
    """Whether a run does not exist any more: visibility lists it for a while."""
    return isinstance(error, RPCError) and error.status == RPCStatusCode.NOT_FOUND


def is_blocking(failure: TaskFailure, attempt: int) -> bool:
    """Whether a failed workflow task shows that the code is at fault."""
    if failure.cause == "timed_out":
        return attempt > _TIMEOUTS_BEFORE_BLOCKED
    return failure.cause not in _HARMLESS


async def count_pinned(client: Client, build: WorkerBuild) -> int:
    """How many open workflows must complete on a build."""
    return (await client.count_workflows(f"{_OPEN} AND {version_query(build)} AND {_PINNED}")).count


def version_query(build: WorkerBuild) -> str:
    """The visibility query for the workflows whose latest workflow task a build has completed."""
    return f"TemporalWorkerDeploymentVersion = '{build.deployment_name}:{build.build_id}'"
