"""Sends messages to mailboxes from outside of workflows. A mailbox that does not exist is started."""

import asyncio
from datetime import timedelta
from typing import Final

from msgspec import Struct
from temporalio.client import Client
from temporalio.common import Priority

from signalbox_core.pipeline.contract.external_event import (
    DELIVERY_OUTCOME,
    MAILBOX,
    InboundEvent,
    InboundEventRecord,
    MailboxAddress,
    MailboxContent,
)
from signalbox_core.temporal.codec import bind_payloads_to
from signalbox_core.temporal.names import fairness_key

_QUERIES: Final = 20
_QUERY_INTERVAL_S: Final = 0.05


async def signal_mailbox(
    client: Client,
    address: MailboxAddress,
    task_queue: str,
    signal: str,
    message: Struct,
    *,
    within: timedelta | None = None,
) -> None:
    """Signal a mailbox. When this returns, Temporal has stored the message; no worker needs to run."""
    content = MailboxContent(name=address.name, key=address.key, keep_s=address.keep_s)
    with bind_payloads_to(address.tenant):
        await client.start_workflow(
            MAILBOX,
            content,
            id=address.workflow_id,
            task_queue=task_queue,
            priority=Priority(fairness_key=fairness_key(address.tenant)),
            start_signal=signal,
            start_signal_args=[message],
            rpc_timeout=within,
        )


async def delivery_outcome(
    client: Client, address: MailboxAddress, event: InboundEvent, *, within: timedelta | None = None
) -> InboundEventRecord | None:
    """Read the outcome of an event that was signalled before; a worker answers.

    Returns:
        None when the event is still being forwarded after a second.
    """
    handle = client.get_workflow_handle(address.workflow_id)
    for _ in range(_QUERIES):
        with bind_payloads_to(address.tenant):
            record: InboundEventRecord | None = await handle.query(
                DELIVERY_OUTCOME,
                args=[event.event_id, event.delivery_id],
                result_type=InboundEventRecord | None,  # type: ignore[arg-type]
                rpc_timeout=within,
            )
        if record is not None:
            return record
        await asyncio.sleep(_QUERY_INTERVAL_S)
    return None
