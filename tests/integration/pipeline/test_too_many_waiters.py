"""As many runs as may wait for one key: a further one is refused, and displaces none."""

import pytest
from temporalio.client import WorkflowFailureError

from signalbox_core.pipeline.contract.external_event import MAX_MAILBOX_WAITS
from signalbox_core.testing.pipeline import PipelineUnderTest, replay
from support.shipping.contract import DISPATCHED, PAYMENT, SPEC, ShippingInput, ShippingResult
from support.shipping.mailboxes import start_mailbox, wait_of
from support.shipping.orders import PAID, PARCEL, new_order


async def test_a_run_too_many_is_refused_and_the_first_one_gets_the_event(
    shipping: PipelineUnderTest,
) -> None:
    order = new_order()
    others = [wait_of(f"none-{number}") for number in range(MAX_MAILBOX_WAITS - 1)]
    mailbox = await start_mailbox(shipping, order, waits=(wait_of(f"{order}-first"), *others))
    # It is in the mailbox already, and enters another one itself.
    first = await shipping.start(ShippingInput(order=new_order()), run_id=f"{order}-first")
    await first.wait(PAYMENT.name)
    late = await shipping.start(ShippingInput(order=order))

    with pytest.raises(WorkflowFailureError):
        await late.result()
    await shipping.send_event(PAYMENT, PAID, key=order)
    await first.send_event(DISPATCHED, PARCEL)

    snapshot = await late.snapshot()
    assert snapshot.error is not None
    assert (snapshot.error.code, snapshot.error.step) == ("too_many_waiters", "pay")
    assert "500 runs wait for payment.settled with this key" in snapshot.error.message
    assert [item.status for item in snapshot.waits] == ["withdrawn"]
    assert await first.result() == ShippingResult(amount=4_200, parcel="P1")
    await replay(SPEC, await late.handle.fetch_history())
    await replay(SPEC, await mailbox.fetch_history())
