"""Delivers external events: to a run, or to the mailbox of a business key.

An event for a run is a Temporal update, validated before it enters history, and a durable signal when no
worker responds. An event for a key is a signal to the key's mailbox, which needs no worker to be stored.
"""

from datetime import timedelta
from typing import Any

from temporalio.client import (
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from signalbox_core.errors import Conflict, SignalboxError
from signalbox_core.pipeline.contract.external_event import (
    DELIVER_EVENT,
    DELIVER_TO_MAILBOX,
    DUPLICATE_EVENT,
    TOO_MANY_EVENTS,
    InboundEvent,
    InboundEventRecord,
    MailboxAddress,
)
from signalbox_core.pipeline.spec import ExternalEvent, PipelineSpec
from signalbox_core.pipeline.workflow.external.mailbox_client import delivery_outcome, signal_mailbox
from signalbox_core.temporal.updates import send_update
from signalbox_gateway.runs.decide import refusal_of
from signalbox_gateway.runs.temporal import TemporalRuns
from signalbox_gateway.runs.temporal_errors import map_temporal_errors, temporal_unavailable

_NO_OUTCOME = (RPCError, WorkflowQueryFailedError, WorkflowQueryRejectedError, ApplicationError)


class _WorkflowTaskBlocked(Exception):
    """The server refuses updates of a run whose workflow task fails again and again."""


class ExternalEvents:
    """Delivers external events.

    Args:
        within: how long to wait for a worker. After it, an event is stored without its outcome.
    """

    def __init__(self, engine: TemporalRuns, *, within: timedelta = timedelta(seconds=3)) -> None:
        self._client = engine.client
        self._workflow_ids = engine.workflow_ids
        self._availability = engine.availability
        self._within = within

    async def send_to_run(self, key: str, event: InboundEvent) -> InboundEventRecord | None:
        """Send an event to the run of a run key.

        Returns:
            The outcome; None when no worker responded in time, and it was sent as a durable signal.

        Raises:
            NotFound: the run has ended or does not exist (`unknown_run`), or its contract does not declare
                the event.
            InvalidInput: the data violates the contract of the run's worker.
            Conflict: the run is ending, or keeps as many events as it may.
            Unavailable: Temporal is unavailable; the event is not stored.
        """
        await self._require_temporal()
        return await self._workflow_ids.call(key, lambda workflow_id: self._send_to_run(workflow_id, event))

    async def send_by_key(
        self, spec: PipelineSpec, declared: ExternalEvent[Any], key: str, tenant: str, event: InboundEvent
    ) -> InboundEventRecord | None:
        """Send an event to the mailbox of its key.

        Returns:
            The outcome; None when no worker responded in time. It is stored in any case.

        Raises:
            Conflict: the mailbox is full (`too_many_events`).
            Unavailable: Temporal is unavailable; the event is not stored.
        """
        await self._require_temporal()
        address = MailboxAddress(
            tenant=tenant,
            pipeline=spec.name,
            name=declared.name,
            key=key,
            keep_s=declared.keep.total_seconds(),
        )
        async with map_temporal_errors():
            await signal_mailbox(
                self._client, address, spec.task_queue, DELIVER_TO_MAILBOX, event, within=self._within
            )
        try:
            record = await delivery_outcome(self._client, address, event, within=self._within)
        except _NO_OUTCOME:
            return None
        if record is not None and record.status == "refused":
            raise Conflict(
                f"too many events {declared.name} with this key are waiting; send the event again later",
                code=TOO_MANY_EVENTS,
            )
        return record

    async def _require_temporal(self) -> None:
        if self._availability.is_known_down and not await self._availability.check_promptly():
            raise temporal_unavailable()

    async def _send_to_run(self, workflow_id: str, event: InboundEvent) -> InboundEventRecord | None:
        handle = self._client.get_workflow_handle(workflow_id)
        try:
            async with map_temporal_errors():
                return await self._update(handle, event)
        except WorkflowUpdateFailedError as error:
            refusal = refusal_of(error.cause)
            if refusal.stable_code != DUPLICATE_EVENT:
                raise refusal from error
            return _duplicate(event, refusal)
        except (WorkflowUpdateRPCTimeoutOrCancelledError, _WorkflowTaskBlocked):
            # Whether the update was applied is unknown; the run drops a second event of the same id.
            async with map_temporal_errors():
                await handle.signal(DELIVER_EVENT, event, rpc_timeout=self._within)
            return None

    async def _update(self, handle: WorkflowHandle[Any, Any], event: InboundEvent) -> InboundEventRecord:
        try:
            return await send_update(
                handle,
                DELIVER_EVENT,
                event,
                update_id=event.delivery_id,
                result_type=InboundEventRecord,
                within=self._within,
            )
        except RPCError as error:
            if error.status == RPCStatusCode.FAILED_PRECONDITION:
                raise _WorkflowTaskBlocked from error
            raise


def _duplicate(event: InboundEvent, refusal: SignalboxError) -> InboundEventRecord:
    wait_id = refusal.facts.get("wait_id")
    return InboundEventRecord(
        event_id=event.event_id, status="duplicate", wait_id=str(wait_id) if wait_id is not None else None
    )
