"""A wait that its run gives up leaves its mailbox, and takes no event with it."""

import asyncio

from temporalio.api.enums.v1 import EventType

from signalbox_core.testing.external_events import inbound_event
from signalbox_core.testing.pipeline import PipelineUnderTest, RunUnderTest, replay
from support.assertions.eventually import eventually
from support.shipping.contract import (
    DISPATCHED,
    PAYMENT,
    SPEC,
    ShippingInput,
    ShippingResult,
)
from support.shipping.orders import PAID, PARCEL, new_order
from support.shipping.registrations import is_registered


async def has_left(run: RunUnderTest) -> bool:
    """Whether the run's latest execution has signalled the mailbox."""
    signalled = EventType.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_SIGNALED
    return any(event.event_type == signalled for event in (await run.handle.fetch_history()).events)


async def receive_payment(shipping: PipelineUnderTest, order: str) -> None:
    """Run another one that waits for the payment, and send it by key."""
    other = await shipping.start(ShippingInput(order=order))
    await other.wait("payment.settled")
    await shipping.send_event(PAYMENT, PAID, key=order)
    await other.send_event(DISPATCHED, PARCEL)
    assert await asyncio.wait_for(other.result(), 60) == ShippingResult(amount=4_200, parcel="P1")


async def test_a_wait_that_ends_before_its_mailbox_exists_does_not_enter_it(
    shipping: PipelineUnderTest,
) -> None:
    order = new_order()
    run = await shipping.start(ShippingInput(order=order, withdraws="at once"))
    await run.wait("parcel.dispatched")

    await receive_payment(shipping, order)

    await run.send_event(DISPATCHED, PARCEL)
    assert await run.result() == ShippingResult(amount=0, parcel="P1")
    assert [item.status for item in (await run.snapshot()).waits] == ["withdrawn", "received"]
    await replay(SPEC, await run.handle.fetch_history())


async def test_a_wait_that_does_not_continue_as_new_leaves_its_mailbox(shipping: PipelineUnderTest) -> None:
    order = new_order()
    run = await shipping.start(ShippingInput(order=order, withdraws="continues"))
    await run.wait("parcel.dispatched")
    await eventually(lambda: is_registered(run), within_s=60)
    await run.send_event(DISPATCHED, PARCEL, event_id="first")
    await run.wait("parcel.dispatched-2")
    await eventually(lambda: has_left(run), within_s=60)

    await receive_payment(shipping, order)

    await run.send_event(DISPATCHED, PARCEL, event_id="second")
    assert await run.result() == ShippingResult(amount=0, parcel="P1")
    await replay(SPEC, await run.handle.fetch_history())


async def test_an_event_that_arrives_as_its_wait_is_given_up_is_not_lost(
    shipping: PipelineUnderTest,
) -> None:
    """Before Python 3.12 the wait returns it nevertheless; since then it is kept for the next wait."""
    run = await shipping.start(ShippingInput(order=new_order(), withdraws="late"))
    await run.wait("parcel.dispatched")
    async with shipping.without_worker():
        await run.handle.signal("deliver_event", inbound_event(PAYMENT, PAID))
        await run.handle.signal("deliver_event", inbound_event(DISPATCHED, PARCEL))

    assert await asyncio.wait_for(run.result(), 60) == ShippingResult(amount=4_200)
    await replay(SPEC, await run.handle.fetch_history())
