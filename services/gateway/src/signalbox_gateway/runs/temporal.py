"""Runs in Temporal, with the RPC errors of its client mapped to Signalbox errors."""

import asyncio
import logging
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any, Final, Generic, TypeVar

from msgspec import Struct
from temporalio.client import (
    Client,
    WorkflowExecution,
    WorkflowExecutionDescription,
    WorkflowFailureError,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
)
from temporalio.common import Priority, SearchAttributePair, TypedSearchAttributes
from temporalio.common import WorkflowIDConflictPolicy as OnConflict
from temporalio.common import WorkflowIDReusePolicy as Reuse
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError

from signalbox_core.errors import NotFound, SignalboxError, Unavailable
from signalbox_core.events.catalogue import Failure
from signalbox_core.events.snapshot import RunStatus, Snapshot
from signalbox_core.ids import run_id_of, run_key
from signalbox_core.pipeline.contract.messages import (
    QUERY_SNAPSHOT,
    SIGNAL_CANCEL_REASON,
    CancelReason,
    Control,
)
from signalbox_core.pipeline.spec import PipelineSpec
from signalbox_core.subjects import Subject
from signalbox_core.temporal import names
from signalbox_core.temporal.codec import bind_payloads_to
from signalbox_gateway.runs.availability import TemporalAvailability
from signalbox_gateway.runs.temporal_errors import map_temporal_errors, temporal_unavailable
from signalbox_gateway.runs.visibility import STATUSES
from signalbox_gateway.runs.workflow_ids import WorkflowIds

log = logging.getLogger(__name__)

T = TypeVar("T")
# A call that takes longer than this is given up if a health check fails too.
_SLOW_AFTER_S: Final = 0.4
_QUERY_TIMEOUT: Final = timedelta(seconds=2)


class StartRequest(Struct, Generic[T], frozen=True, kw_only=True):
    """A run to start; its input is typed, or `msgspec.Raw` when read from the topic of queued starts."""

    run_id: str
    pipeline: str
    input: T
    tenant: str
    started_by: str
    digest: str
    priority: int | None = None
    retry_of: str | None = None
    starter: Subject | None = None

    @property
    def key(self) -> str:
        return run_key(self.tenant, self.run_id)


class RunInfo(Struct, frozen=True, kw_only=True):
    """Temporal's description of a run. `awaits_worker`: no worker has processed a workflow task of it yet."""

    run_id: str
    tenant: str
    pipeline: str
    status: RunStatus
    started_at: datetime
    ended_at: datetime | None
    started_by: str | None = None
    starter: Subject | None = None
    digest: str | None = None
    awaits_worker: bool = False
    execution_id: str = ""
    workflow_id: str = ""

    @property
    def key(self) -> str:
        return run_key(self.tenant, self.run_id)


class RunInfoPage(Struct, frozen=True, kw_only=True):
    """One page of the visibility store; `next_token` is None on the last page."""

    runs: tuple[RunInfo, ...]
    next_token: bytes | None


class TemporalRuns:
    """Starts, reads and controls runs in Temporal, by run key.

    Calls have a deadline and fail early in an outage.
    """

    def __init__(self, client: Client, *, deadline: timedelta = timedelta(seconds=5)) -> None:
        self.client = client
        self.workflow_ids = WorkflowIds(client, deadline)
        self.availability = TemporalAvailability(self.is_available)
        self._deadline = deadline

    async def start(
        self, request: StartRequest[Struct], spec: PipelineSpec, *, is_generated: bool = False
    ) -> bool:
        """Start the run; False when the tenant has a run of this id (in any state).

        Args:
            is_generated: the run id was made for this start, so that no run can have it yet.

        Raises:
            Unavailable: Temporal did not respond. The run may have started; the same request may be retried.
        """
        if not is_generated and await self._call(self.workflow_ids.is_unkeyed(request.key)):
            return False
        tenant, pipeline = names.SEARCH_TENANT, names.SEARCH_PIPELINE
        attributes = [SearchAttributePair(tenant, request.tenant), SearchAttributePair(pipeline, spec.name)]
        memo: dict[str, object] = {
            names.MEMO_TENANT: request.tenant,
            names.MEMO_STARTED_BY: request.started_by,
            names.MEMO_REQUEST_DIGEST: request.digest,
        }
        memo |= {names.MEMO_RETRY_OF: request.retry_of} if request.retry_of is not None else {}
        if request.starter is not None:
            memo[names.MEMO_STARTER] = request.starter
        priority = Priority(priority_key=request.priority, fairness_key=names.fairness_key(request.tenant))
        try:
            with bind_payloads_to(request.tenant):
                await self._call(
                    self.client.start_workflow(
                        spec.name,
                        request.input,
                        id=request.key,
                        task_queue=spec.task_queue,
                        id_reuse_policy=Reuse.REJECT_DUPLICATE,
                        id_conflict_policy=OnConflict.FAIL,
                        memo=memo,
                        search_attributes=TypedSearchAttributes(attributes),
                        priority=priority,
                        rpc_timeout=self._deadline,
                    )
                )
        except WorkflowAlreadyStartedError:
            return False
        return True

    async def describe(self, key: str) -> RunInfo | None:
        """Temporal's description of the run; None for an unknown run or a workflow that is not a run."""

        async def send(workflow_id: str) -> WorkflowExecutionDescription:
            handle = self.client.get_workflow_handle(workflow_id)
            return await self._call(handle.describe(rpc_timeout=self._deadline))

        try:
            return await run_info_of(await self.workflow_ids.call(key, send))
        except NotFound:
            return None

    async def query(self, key: str, within: timedelta = _QUERY_TIMEOUT) -> Snapshot | None:
        """Query the workflow's snapshot; None when no worker responds in time or the query fails."""

        async def send(workflow_id: str) -> Snapshot:
            handle = self.client.get_workflow_handle(workflow_id)
            async with map_temporal_errors():
                snapshot: Snapshot = await handle.query(
                    QUERY_SNAPSHOT, result_type=Snapshot, rpc_timeout=min(within, self._deadline)
                )
            return snapshot

        try:
            return await self.workflow_ids.call(key, send)
        except (SignalboxError, WorkflowQueryFailedError, WorkflowQueryRejectedError, ApplicationError):
            return None

    async def list(self, query: str, *, limit: int, token: bytes | None) -> RunInfoPage:
        """One page of the visibility store, in its order: open runs first, then the latest closed."""
        found = self.client.list_workflows(
            query, page_size=limit, next_page_token=token, rpc_timeout=self._deadline
        )
        await self._call(found.fetch_next_page(page_size=limit))
        runs = [await _list_entry(item) for item in found.current_page or ()]
        return RunInfoPage(
            runs=tuple(run for run in runs if run is not None), next_token=found.next_page_token or None
        )

    async def cancel(self, key: str, reason: CancelReason) -> None:
        """Cancel the run. The reason is sent first, so the workflow has it when the cancellation arrives.

        Raises:
            NotFound: the run has ended or does not exist.
        """

        async def send(workflow_id: str) -> None:
            handle = self.client.get_workflow_handle(workflow_id)
            await self._call(handle.signal(SIGNAL_CANCEL_REASON, reason, rpc_timeout=self._deadline))
            await self._call(handle.cancel(rpc_timeout=self._deadline))

        await self.workflow_ids.call(key, send)

    async def control(self, key: str, signal: str, control: Control) -> None:
        """Send `pause` or `resume`. Raises: NotFound: the run has ended or does not exist."""

        async def send(workflow_id: str) -> None:
            handle = self.client.get_workflow_handle(workflow_id)
            await self._call(handle.signal(signal, control, rpc_timeout=self._deadline))

        await self.workflow_ids.call(key, send)

    async def result(self, key: str, spec: PipelineSpec) -> Struct | Failure:
        """The result of an ended run, or the failure that ended it."""

        async def send(workflow_id: str) -> Struct:
            handle = self.client.get_workflow_handle(workflow_id, result_type=spec.result)
            outcome: Struct = await self._call(handle.result(rpc_timeout=self._deadline))
            return outcome

        try:
            return await self.workflow_ids.call(key, send)
        except WorkflowFailureError as error:
            return _failure(error.cause)

    async def is_available(self) -> bool:
        try:
            return await self.client.service_client.check_health(timeout=timedelta(seconds=2))
        except (RPCError, RuntimeError):
            return False

    async def _call(self, call: Coroutine[Any, Any, T]) -> T:
        """Await a call, and fail early while Temporal is unavailable.

        Raises:
            Unavailable: the call is too slow, or as `map_temporal_errors` raises.
        """
        if self.availability.is_known_down and not await self.availability.check_promptly():
            call.close()
            raise temporal_unavailable()
        task = asyncio.create_task(call)
        try:
            async with map_temporal_errors():
                finished, _ = await asyncio.wait({task}, timeout=_SLOW_AFTER_S)
                if not finished and await self.availability.check_promptly():
                    # An RPC's timeout is that of one attempt; the client repeats attempts for 10 s.
                    await asyncio.wait({task}, timeout=self._deadline.total_seconds())
                if not task.done():
                    raise temporal_unavailable()
                return await task
        except Unavailable:
            self.availability.mark_down()
            raise
        finally:
            task.cancel()
            # Retrieved, or asyncio would log the error of a call that was given up.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())


async def run_info_of(found: WorkflowExecution) -> RunInfo | None:
    """Convert Temporal's description or list entry; None for a workflow that is not a run."""
    tenant = await found.memo_value(names.MEMO_TENANT, None, type_hint=str)
    if tenant is None:
        return None
    return RunInfo(
        run_id=run_id_of(found.id),
        tenant=tenant,
        pipeline=found.workflow_type,
        status=STATUSES.get(found.status, "running"),
        started_at=found.start_time,
        ended_at=found.close_time,
        started_by=await found.memo_value(names.MEMO_STARTED_BY, None, type_hint=str),
        starter=await found.memo_value(names.MEMO_STARTER, None, type_hint=Subject),
        digest=await found.memo_value(names.MEMO_REQUEST_DIGEST, None, type_hint=str),
        awaits_worker=found.history_length <= 2,
        execution_id=found.run_id,
        workflow_id=found.id,
    )


async def _list_entry(found: WorkflowExecution) -> RunInfo | None:
    """Convert a list entry; None also when its memo is encrypted with a key that this gateway lacks."""
    try:
        return await run_info_of(found)
    except Unavailable as error:
        log.warning("run not listed", extra={"workflow": found.id, "detail": error.detail})
        return None


def _failure(cause: BaseException | None) -> Failure:
    """The failure of the innermost cause."""
    found: BaseException | None = cause
    while found is not None and found.__cause__ is not None:
        found = found.__cause__
    code = found.type if isinstance(found, ApplicationError) and found.type else "failed"
    return Failure(code=code, message=str(found or "the run failed"))
