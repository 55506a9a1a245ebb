"""For pipeline authors: send external events to a run under test, as the gateway does."""

import asyncio
import uuid
from typing import Any

import msgspec
from msgspec import Struct
from temporalio.client import Client, WorkflowHandle

from signalbox_core.events.states import EventWaitState
from signalbox_core.pipeline.contract.external_event import (
    DELIVER_EVENT,
    DELIVER_TO_MAILBOX,
    ExternalEvent,
    InboundEvent,
    InboundEventRecord,
    MailboxAddress,
)
from signalbox_core.pipeline.workflow.external.mailbox_client import delivery_outcome, signal_mailbox
from signalbox_core.temporal.updates import send_update
from signalbox_core.testing.snapshots import query_snapshot
from signalbox_core.traces import current_context

_POLL_S = 0.02


def inbound_event(
    event: ExternalEvent[Any], data: Struct, *, key: str | None = None, event_id: str | None = None
) -> InboundEvent:
    """Return the event as the gateway sends it; by default with a new id."""
    trace = current_context()
    return InboundEvent(
        name=event.name,
        event_id=event_id or uuid.uuid4().hex,
        data=msgspec.Raw(msgspec.json.encode(data)),
        key=key,
        delivery_id=uuid.uuid4().hex,
        traceparent=trace.traceparent if trace is not None else None,
    )


def callback_event(event: ExternalEvent[Any], data: Struct, wait_id: str) -> InboundEvent:
    """Return the event that a POST to the one-time URL of a wait sends."""
    return InboundEvent(
        name=event.name,
        event_id=f"callback:{wait_id}",
        data=msgspec.Raw(msgspec.json.encode(data)),
        delivery_id=uuid.uuid4().hex,
        wait_id=wait_id,
    )


async def send_to_run(handle: WorkflowHandle[Any, Any], event: InboundEvent) -> InboundEventRecord:
    """Send an event to a run.

    Raises:
        WorkflowUpdateFailedError: the run refuses the event, for example as a duplicate.
    """
    return await send_update(
        handle, DELIVER_EVENT, event, update_id=event.delivery_id, result_type=InboundEventRecord
    )


async def send_by_key(
    client: Client, task_queue: str, address: MailboxAddress, event: InboundEvent
) -> InboundEventRecord | None:
    """Send an event to the run that waits, or will wait, for its key."""
    await signal_mailbox(client, address, task_queue, DELIVER_TO_MAILBOX, event)
    return await delivery_outcome(client, address, event)


async def find_wait(handle: WorkflowHandle[Any, Any], wait_id: str, *, within_s: float) -> EventWaitState:
    """Wait until the run has begun the wait."""
    async with asyncio.timeout(within_s):
        while True:
            snapshot = await query_snapshot(handle, within_s=within_s)
            found = next((item for item in snapshot.waits if item.wait_id == wait_id), None)
            if found is not None:
                return found
            await asyncio.sleep(_POLL_S)
