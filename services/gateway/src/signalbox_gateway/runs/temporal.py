"""What the gateway asks of Temporal; its errors become ours here and nowhere else."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final

import msgspec
from msgspec import Struct
from temporalio.client import (
    Client,
    WorkflowExecution,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
)
from temporalio.common import Priority, SearchAttributePair, TypedSearchAttributes
from temporalio.common import WorkflowIDConflictPolicy as OnConflict
from temporalio.common import WorkflowIDReusePolicy as Reuse
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from signalbox_core.errors import InvalidInput, NotFound, Unavailable
from signalbox_core.events.catalogue import Failure
from signalbox_core.events.snapshot import RunStatus, Snapshot
from signalbox_core.pipeline.contract.messages import (
    QUERY_SNAPSHOT,
    SIGNAL_CANCEL_REASON,
    CancelReason,
    Control,
)
from signalbox_core.pipeline.spec import PipelineSpec
from signalbox_core.secret import decode_hook
from signalbox_core.temporal import names
from signalbox_core.temporal.codec import payloads_of

STATUSES: Final[Mapping[WorkflowExecutionStatus | None, RunStatus]] = {
    WorkflowExecutionStatus.RUNNING: "running",
    WorkflowExecutionStatus.CONTINUED_AS_NEW: "running",
    WorkflowExecutionStatus.COMPLETED: "completed",
    WorkflowExecutionStatus.FAILED: "failed",
    WorkflowExecutionStatus.CANCELED: "cancelled",
    WorkflowExecutionStatus.TERMINATED: "terminated",
    WorkflowExecutionStatus.TIMED_OUT: "timed_out",
}
_OPEN: Final = "Running"
_QUERY_WITHIN: Final = timedelta(seconds=2)


class Order(Struct, frozen=True, kw_only=True):
    """A run to start: everything that Temporal is told. Secrets in its input are sealed; `digest` tells two orders of the same id apart."""

    run_id: str
    pipeline: str
    input: msgspec.Raw
    tenant: str
    started_by: str
    digest: str
    priority: int | None = None


class Described(Struct, frozen=True, kw_only=True):
    """What Temporal itself knows of a run. `is_untouched`: no worker has looked at it yet."""

    run_id: str
    tenant: str
    pipeline: str
    status: RunStatus
    started_at: datetime
    ended_at: datetime | None
    started_by: str | None = None
    digest: str | None = None
    is_untouched: bool = False


class Page(Struct, frozen=True, kw_only=True):
    runs: tuple[Described, ...]
    next_token: bytes | None


class Engine:
    """Temporal, as the gateway sees it. Every call has a deadline."""

    def __init__(self, client: Client, *, deadline: timedelta = timedelta(seconds=5)) -> None:
        self.client = client
        self._deadline = deadline

    async def start(self, order: Order, spec: PipelineSpec) -> bool:
        """Start the run; False when a run of this id exists (in any state).

        Raises:
            Unavailable: Temporal did not answer; the run may or may not have started, the same order is safe again.
        """
        request = msgspec.json.decode(order.input, type=spec.input, dec_hook=decode_hook)
        with_attributes = [
            SearchAttributePair(names.SEARCH_TENANT, order.tenant),
            SearchAttributePair(names.SEARCH_PIPELINE, spec.name),
        ]
        try:
            async with translated():
                with payloads_of(order.tenant):
                    await self.client.start_workflow(
                        spec.name,
                        request,
                        id=order.run_id,
                        task_queue=spec.task_queue,
                        id_reuse_policy=Reuse.REJECT_DUPLICATE,
                        id_conflict_policy=OnConflict.FAIL,
                        memo={
                            names.MEMO_TENANT: order.tenant,
                            names.MEMO_STARTED_BY: order.started_by,
                            names.MEMO_REQUEST_DIGEST: order.digest,
                        },
                        search_attributes=TypedSearchAttributes(with_attributes),
                        priority=Priority(
                            priority_key=order.priority, fairness_key=names.fairness_key(order.tenant)
                        ),
                        rpc_timeout=self._deadline,
                    )
        except WorkflowAlreadyStartedError:
            return False
        return True

    async def describe(self, run_id: str) -> Described | None:
        """What Temporal knows of the run; None when there is none, or when it is not a run of ours."""
        try:
            async with translated():
                found = await self.client.get_workflow_handle(run_id).describe(rpc_timeout=self._deadline)
        except NotFound:
            return None
        return await described(found)

    async def query(self, run_id: str, within: timedelta = _QUERY_WITHIN) -> Snapshot | None:
        """The workflow's own snapshot; None when no worker answers in time or the query fails."""
        try:
            told: Snapshot = await self._handle(run_id).query(
                QUERY_SNAPSHOT, result_type=Snapshot, rpc_timeout=min(within, self._deadline)
            )
        except (RPCError, WorkflowQueryFailedError, WorkflowQueryRejectedError, ApplicationError):
            return None
        return told

    async def list(self, query: str, *, limit: int, token: bytes | None) -> Page:
        """One page of the visibility store, in its order: open runs first, then the latest closed."""
        found = self.client.list_workflows(
            query, page_size=limit, next_page_token=token, rpc_timeout=self._deadline
        )
        async with translated():
            await found.fetch_next_page(page_size=limit)
        runs = [await described(item) for item in found.current_page or ()]
        return Page(
            runs=tuple(run for run in runs if run is not None), next_token=found.next_page_token or None
        )

    async def cancel(self, run_id: str, reason: CancelReason) -> None:
        """Ask the run to stop. The reason goes first, so the run knows it when the cancellation arrives.

        Raises:
            NotFound: the run has ended (or never was).
        """
        async with translated():
            handle = self._handle(run_id)
            await handle.signal(SIGNAL_CANCEL_REASON, reason, rpc_timeout=self._deadline)
            await handle.cancel(rpc_timeout=self._deadline)

    async def control(self, run_id: str, signal: str, control: Control) -> None:
        """Send `pause` or `resume`. Raises: NotFound: the run has ended."""
        async with translated():
            await self._handle(run_id).signal(signal, control, rpc_timeout=self._deadline)

    async def result(self, run_id: str, spec: PipelineSpec) -> Struct | Failure:
        """The result of an ended run, or why it has none."""
        try:
            async with translated():
                outcome: Struct = await self.client.get_workflow_handle(
                    run_id, result_type=spec.result
                ).result(rpc_timeout=self._deadline)
        except WorkflowFailureError as error:
            return _failure(error.cause)
        return outcome

    async def is_available(self) -> bool:
        try:
            return await self.client.service_client.check_health(timeout=timedelta(seconds=2))
        except (RPCError, RuntimeError):
            return False

    def _handle(self, run_id: str) -> WorkflowHandle[object, object]:
        return self.client.get_workflow_handle(run_id)


def query_of(*, tenant: str, pipeline: str | None, status: RunStatus | None) -> str:
    """The visibility query. The values are quoted, so none can widen the query."""
    parts = [f"{names.SEARCH_TENANT.name} = {_quoted(tenant)}"]
    if pipeline is not None:
        parts.append(f"{names.SEARCH_PIPELINE.name} = {_quoted(pipeline)}")
    if status is not None:
        parts.append(f"ExecutionStatus = {_quoted(_execution_status(status))}")
    return " AND ".join(parts)


async def described(found: WorkflowExecution) -> Described | None:
    """The facts of a run from Temporal's description or list; None for a workflow that is not a run."""
    tenant = await found.memo_value(names.MEMO_TENANT, None, type_hint=str)
    if tenant is None:
        return None
    return Described(
        run_id=found.id,
        tenant=tenant,
        pipeline=found.workflow_type,
        status=STATUSES.get(found.status, "running"),
        started_at=found.start_time,
        ended_at=found.close_time,
        started_by=await found.memo_value(names.MEMO_STARTED_BY, None, type_hint=str),
        digest=await found.memo_value(names.MEMO_REQUEST_DIGEST, None, type_hint=str),
        is_untouched=found.history_length <= 2,
    )


@asynccontextmanager
async def translated() -> AsyncIterator[None]:
    """Temporal's errors as ours."""
    try:
        yield
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            raise NotFound("there is no such open run", code="unknown_run") from error
        if error.status == RPCStatusCode.INVALID_ARGUMENT:
            raise InvalidInput(f"Temporal refused the request: {error.message[:300]}") from error
        raise _away() from error
    except RuntimeError as error:
        # A client that never reached the server yet says so with this class.
        if not str(error).startswith("Failed client connect"):
            raise
        raise _away() from error


def _away() -> Unavailable:
    return Unavailable(
        "Temporal does not answer right now; try the same request again", code="temporal_unavailable"
    )


def _failure(cause: BaseException | None) -> Failure:
    """The innermost error that has a type is what went wrong."""
    found: BaseException | None = cause
    while found is not None and found.__cause__ is not None:
        found = found.__cause__
    code = found.type if isinstance(found, ApplicationError) and found.type else "failed"
    return Failure(code=code, message=str(found or "the run failed"))


def _execution_status(status: RunStatus) -> str:
    return next(
        (kind.name.title().replace("_", "") for kind, name in STATUSES.items() if kind and name == status),
        _OPEN,
    )


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
