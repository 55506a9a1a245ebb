"""Mailboxes of shipping runs, as their workflows are addressed and started."""

from datetime import UTC, datetime, timedelta

from temporalio.client import WorkflowHandle

from signalbox_core.ids import run_key
from signalbox_core.pipeline.contract.external_event import (
    MAILBOX,
    MailboxAddress,
    MailboxContent,
    MailboxWait,
    SettledEvent,
)
from signalbox_core.testing.pipeline import PipelineUnderTest
from support.shipping.contract import PAYMENT, SPEC

KEEP_S = PAYMENT.keep.total_seconds()


def address_of(order: str) -> MailboxAddress:
    return MailboxAddress(tenant="acme", pipeline=SPEC.name, name=PAYMENT.name, key=order, keep_s=KEEP_S)


async def start_mailbox(
    pipeline: PipelineUnderTest,
    order: str,
    *,
    waits: tuple[MailboxWait, ...] = (),
    settled: tuple[SettledEvent, ...] = (),
    refused_waits: tuple[MailboxWait, ...] = (),
) -> WorkflowHandle:
    """Start the mailbox of an order with what an earlier execution has left to it."""
    content = MailboxContent(
        name=PAYMENT.name, key=order, keep_s=KEEP_S, waits=waits, settled=settled, refused_waits=refused_waits
    )
    return await pipeline.client.start_workflow(
        MAILBOX, content, id=address_of(order).workflow_id, task_queue=pipeline.task_queue
    )


def wait_of(run_id: str) -> MailboxWait:
    expires_at = datetime.now(UTC) + timedelta(days=1)
    return MailboxWait(workflow_id=run_key("acme", run_id), wait_id=PAYMENT.name, expires_at=expires_at)
