"""An event that a mailbox has forwarded for a wait that has ended goes back, and on to the next run."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest
from msgspec.structs import replace
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from signalbox_core.pipeline.contract.external_event import OPEN_WAIT, MailboxWait
from signalbox_core.pipeline.workflow.external.mailbox_client import signal_mailbox
from signalbox_core.testing.external_events import inbound_event, send_to_run
from signalbox_core.testing.pipeline import PipelineUnderTest, RunUnderTest, replay
from support.assertions.eventually import eventually
from support.shipping.contract import (
    DISPATCHED,
    PAYMENT,
    SPEC,
    ShippingInput,
    ShippingResult,
)
from support.shipping.mailboxes import address_of
from support.shipping.orders import PAID, PARCEL, new_order
from support.shipping.registrations import is_registered


async def enter(shipping: PipelineUnderTest, run: RunUnderTest, order: str) -> None:
    """Enter a wait at the mailbox, as a registration does that outlives its wait."""
    wait = MailboxWait(
        workflow_id=run.handle.id, wait_id=PAYMENT.name, expires_at=datetime.now(UTC) + timedelta(days=1)
    )
    await signal_mailbox(shipping.client, address_of(order), shipping.task_queue, OPEN_WAIT, wait)


async def finish(run: RunUnderTest) -> ShippingResult:
    await run.send_event(DISPATCHED, PARCEL, event_id=uuid.uuid4().hex)
    result = await asyncio.wait_for(run.result(), 60)
    assert isinstance(result, ShippingResult)
    return result


@pytest.mark.parametrize("withdraws", ["at once", "continues"], ids=["given up", "continue-as-new"])
async def test_an_event_for_a_wait_that_has_ended_reaches_the_run_that_waits(
    shipping: PipelineUnderTest, withdraws: Literal["at once", "continues"]
) -> None:
    order = new_order()
    gone = await shipping.start(ShippingInput(order=order, withdraws=withdraws))
    await gone.wait("parcel.dispatched")
    if withdraws == "continues":
        await gone.send_event(DISPATCHED, PARCEL, event_id="first")
        await gone.wait("parcel.dispatched-2")
    await enter(shipping, gone, order)

    await shipping.send_event(PAYMENT, PAID, key=order)

    waiting = await shipping.start(ShippingInput(order=order))
    assert await finish(waiting) == ShippingResult(amount=4_200, parcel="P1")
    assert await finish(gone) == ShippingResult(amount=0, parcel="P1")
    payments = [item for item in (await gone.snapshot()).waits if item.name == "payment.settled"]
    assert [item.status for item in payments] == ["withdrawn"]
    for run in (gone, waiting):
        await replay(SPEC, await run.handle.fetch_history())


async def has_failed_to_return(run: RunUnderTest) -> bool:
    """Whether the run knows that the mailbox does not exist."""
    kinds = [event.event_type for event in (await run.handle.fetch_history()).events]
    failed = EventType.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED
    handled = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
    # It has told the mailbox before that its wait has ended.
    if kinds.count(failed) < 2:
        return False
    last = len(kinds) - kinds[::-1].index(failed)
    return handled in kinds[last:]


async def test_what_a_run_has_kept_for_lack_of_a_mailbox_goes_there_when_it_ends(
    shipping: PipelineUnderTest,
) -> None:
    order = new_order()
    run = await shipping.start(ShippingInput(order=order, withdraws="at once"))
    await run.wait("parcel.dispatched")
    event = inbound_event(PAYMENT, PAID, key=order)
    await run.handle.signal("deliver_event", replace(event, wait_id="payment.settled"))
    await eventually(lambda: has_failed_to_return(run), within_s=60)

    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await send_to_run(run.handle, replace(event, delivery_id="again"))
    waiting = await shipping.start(ShippingInput(order=order))
    await eventually(lambda: is_registered(waiting), within_s=60)
    assert await finish(run) == ShippingResult(amount=0, parcel="P1")

    assert isinstance(refused.value.cause, ApplicationError)
    assert refused.value.cause.type == "duplicate_event"
    assert await finish(waiting) == ShippingResult(amount=4_200, parcel="P1")
    for each in (run, waiting):
        await replay(SPEC, await each.handle.fetch_history())
