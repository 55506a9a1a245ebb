"""A worker of an earlier release has handled messages of mailboxes and runs that this release continues."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from signalbox_core.ids import run_key
from signalbox_core.pipeline.contract.external_event import (
    MAX_MAILBOX_WAITS,
    OPEN_WAIT,
    REFUSE_WAIT,
    RETURN_EVENT,
    InboundEventRecord,
    MailboxWait,
    ReturnedEvent,
    SettledEvent,
)
from signalbox_core.pipeline.workflow.external.mailbox_client import delivery_outcome
from signalbox_core.testing.external_events import inbound_event
from signalbox_core.testing.pipeline import PipelineUnderTest, pipeline_under_test, replay
from support.assertions.eventually import eventually
from support.shipping.activities import file_parcel
from support.shipping.contract import DISPATCHED, PAYMENT, SPEC, ShippingInput, ShippingResult
from support.shipping.earlier_release import EarlierMailbox
from support.shipping.mailboxes import address_of, start_mailbox, wait_of
from support.shipping.orders import PAID, PARCEL, new_order

SIGNALED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED


@asynccontextmanager
async def mailbox_of_earlier_release(shipping: PipelineUnderTest) -> AsyncIterator[None]:
    async with (
        shipping.without_worker(),
        Worker(
            shipping.client,
            task_queue=shipping.task_queue,
            workflows=[EarlierMailbox],
            workflow_runner=UnsandboxedWorkflowRunner(),
        ),
    ):
        yield


@asynccontextmanager
async def run_of_earlier_release(shipping: PipelineUnderTest) -> AsyncIterator[None]:
    spec = replace(SPEC, workflow="support.shipping.earlier_release:EarlierShipping")
    async with (
        shipping.without_worker(),
        pipeline_under_test(
            spec,
            activities=[file_parcel],
            client=shipping.client,
            emitter=shipping.emitter,
            task_queue=shipping.task_queue,
        ),
    ):
        yield


async def signal_handled(handle: WorkflowHandle[Any, Any], signal: str, message: object) -> None:
    """Send a signal and wait until a worker has completed a workflow task after it."""
    known = [event.event_type for event in (await handle.fetch_history()).events].count(SIGNALED)
    await handle.signal(signal, message)

    async def is_handled() -> bool:
        kinds = [event.event_type for event in (await handle.fetch_history()).events]
        ended = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
        signals = [n for n, kind in enumerate(kinds) if kind == SIGNALED]
        return len(signals) > known and ended in kinds[signals[-1] :]

    await eventually(is_handled, within_s=60)


async def test_a_mailbox_takes_back_events_after_an_earlier_release_has_ignored_one(
    shipping: PipelineUnderTest,
) -> None:
    order = new_order()
    ignored, late = (
        replace(inbound_event(PAYMENT, PAID, key=order), wait_id=PAYMENT.name, delivery_id="d")
        for _ in range(2)
    )
    settled = tuple(
        SettledEvent(
            record=InboundEventRecord(
                event_id=event.event_id, status="received", run_id="gone", wait_id=PAYMENT.name
            ),
            delivery_id="d",
            settled_at=datetime.now(UTC),
        )
        for event in (ignored, late)
    )
    gone = run_key("acme", "gone")
    async with mailbox_of_earlier_release(shipping):
        mailbox = await start_mailbox(shipping, order, settled=settled)
        await signal_handled(mailbox, RETURN_EVENT, ReturnedEvent(event=ignored, workflow_id=gone))

    await signal_handled(mailbox, RETURN_EVENT, ReturnedEvent(event=late, workflow_id=gone))

    kept = await delivery_outcome(shipping.client, address_of(order), late)
    assert kept is not None
    assert kept.status == "kept"
    await replay(SPEC, await mailbox.fetch_history())


async def test_a_mailbox_refuses_waits_after_an_earlier_release_has_displaced_one(
    shipping: PipelineUnderTest,
) -> None:
    order = new_order()
    others = tuple(wait_of(f"none-{number}") for number in range(MAX_MAILBOX_WAITS))
    async with mailbox_of_earlier_release(shipping):
        mailbox = await start_mailbox(shipping, order, waits=others)
        await signal_handled(mailbox, OPEN_WAIT, wait_of("none-displacing"))

    late = await shipping.start(ShippingInput(order=order))
    with pytest.raises(WorkflowFailureError):
        await asyncio.wait_for(late.result(), 60)

    snapshot = await late.snapshot()
    assert snapshot.error is not None
    assert snapshot.error.code == "too_many_waiters"
    await replay(SPEC, await mailbox.fetch_history())


@pytest.mark.parametrize("turn", range(5))
async def test_a_run_continues_after_an_earlier_release_has_ignored_a_refusal(
    shipping: PipelineUnderTest, turn: int
) -> None:
    """Several turns: in some, the delivery of an event ends while the earlier release handles the signal."""
    run = await shipping.start(ShippingInput(order=new_order()))
    await run.wait(PAYMENT.name)
    refused = MailboxWait(workflow_id=run.handle.id, wait_id=PAYMENT.name, expires_at=datetime.now(UTC))
    async with run_of_earlier_release(shipping):
        await signal_handled(run.handle, REFUSE_WAIT, refused)

    await run.send_event(PAYMENT, PAID)
    await run.send_event(DISPATCHED, PARCEL)

    assert await asyncio.wait_for(run.result(), 60) == ShippingResult(amount=4_200, parcel="P1")
    await replay(SPEC, await run.handle.fetch_history())
