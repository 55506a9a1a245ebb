"""Runs in Temporal, with the RPC errors of its client mapped to Signalbox errors."""

import asyncio
import logging
from collections.abc import Container, Coroutine, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, TypeVar

from msgspec import Struct
from temporalio.client import (
    Client,
    WorkflowExecutionDescription,
    WorkflowFailureError,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
)
from temporalio.common import Priority
from temporalio.common import WorkflowIDConflictPolicy as OnConflict
from temporalio.common import WorkflowIDReusePolicy as Reuse
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError

from signalbox_core.errors import NotFound, SignalboxError, Unavailable
from signalbox_core.events.catalogue import Failure
from signalbox_core.events.snapshot import Snapshot
from signalbox_core.pipeline.contract.find import render_subject
from signalbox_core.pipeline.contract.messages import (
    QUERY_SNAPSHOT,
    SIGNAL_CANCEL_REASON,
    CancelReason,
    Control,
)
from signalbox_core.pipeline.spec import PipelineSpec
from signalbox_core.temporal import names
from signalbox_core.temporal.codec import bind_payloads_to
from signalbox_gateway.runs.availability import TemporalAvailability
from signalbox_gateway.runs.run_info import (
    NO_RULES,
    RunInfo,
    RunInfoPage,
    WorkflowRules,
    list_entry,
    run_info_of,
)
from signalbox_gateway.runs.search.visibility import executions_query
from signalbox_gateway.runs.starts.start_request import StartRequest, start_memo, start_search_attributes
from signalbox_gateway.runs.temporal_errors import map_temporal_errors, temporal_unavailable
from signalbox_gateway.runs.workflow_ids import WorkflowIds

log = logging.getLogger(__name__)

T = TypeVar("T")
# A call that takes longer than this is given up if a health check fails too.
_SLOW_AFTER_S: Final = 0.4
_QUERY_TIMEOUT: Final = timedelta(seconds=2)
_MAX_EXECUTIONS: Final = 1_000


class TemporalRuns:
    """Starts, reads and controls runs in Temporal, by run key.

    Calls have a deadline and fail early in an outage.
    """

    def __init__(
        self,
        client: Client,
        rules: WorkflowRules = NO_RULES,
        *,
        deadline: timedelta = timedelta(seconds=5),
    ) -> None:
        self.client = client
        self.workflow_ids = WorkflowIds(client, deadline, rules)
        self.availability = TemporalAvailability(self.is_available)
        self._deadline = deadline

    async def start(
        self, request: StartRequest[Struct], spec: PipelineSpec, *, is_unused: bool = False
    ) -> bool:
        """Start the run; False when the tenant has a run of this id (in any state).

        Args:
            is_unused: the run id was made for this start, so that no run can have it yet.

        Raises:
            Unavailable: Temporal did not respond. The run may have started; the same request may be retried.
        """
        if not is_unused and await self._call(self.workflow_ids.is_unkeyed(request.key)):
            return False
        subject = render_subject(spec.subject, request.input)
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
                        memo=start_memo(request, spec, subject),
                        search_attributes=start_search_attributes(request, spec, subject),
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
            found = await self.workflow_ids.call(key, send)
            return await run_info_of(found, self.workflow_ids.rules)
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

    async def list(
        self, query: str, *, limit: int, token: bytes | None, skip: Container[str] = ()
    ) -> RunInfoPage:
        """One page of the visibility store, in its order: open runs first, then the latest closed.

        Args:
            skip: the ids of executions to leave out; they are not decrypted.
        """
        found = self.client.list_workflows(
            query, page_size=limit, next_page_token=token, rpc_timeout=self._deadline
        )
        await self._call(found.fetch_next_page(page_size=limit))
        rules = self.workflow_ids.rules
        listed = [item for item in found.current_page or () if item.run_id not in skip]
        runs = [await list_entry(item, rules) for item in listed]
        return RunInfoPage(
            runs=tuple(run for run in runs if run is not None), next_token=found.next_page_token or None
        )

    async def latest_executions(self, workflow_ids: Sequence[str]) -> Mapping[str, str]:
        """The id of the latest execution of each workflow that the visibility store has."""
        found = self.client.list_workflows(
            executions_query(workflow_ids), page_size=_MAX_EXECUTIONS, rpc_timeout=self._deadline
        )
        await self._call(found.fetch_next_page())
        executions = sorted(found.current_page or (), key=lambda each: each.start_time)
        return {each.id: each.run_id for each in executions}

    async def cancel(self, key: str, reason: CancelReason, *, is_plain: bool = False) -> None:
        """Cancel the run. The reason is sent first, so the workflow has it when the cancellation arrives.

        Args:
            is_plain: a plain workflow, which may not expect the signal; the reason is part of the request.

        Raises:
            NotFound: the run has ended or does not exist.
        """

        async def send(workflow_id: str) -> None:
            handle = self.client.get_workflow_handle(workflow_id)
            if not is_plain:
                await self._call(handle.signal(SIGNAL_CANCEL_REASON, reason, rpc_timeout=self._deadline))
            stated = reason.reason or f"cancelled by {reason.by}" if is_plain else ""
            await self._call(handle.cancel(reason=stated, rpc_timeout=self._deadline))

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


def _failure(cause: BaseException | None) -> Failure:
    """The failure of the innermost cause."""
    found: BaseException | None = cause
    while found is not None and found.__cause__ is not None:
        found = found.__cause__
    code = found.type if isinstance(found, ApplicationError) and found.type else "failed"
    return Failure(code=code, message=str(found or "the run failed"))
