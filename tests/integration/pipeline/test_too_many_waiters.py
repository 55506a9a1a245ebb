"""As many runs as may wait for one key: a further one is refused, and displaces none."""

from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import WorkflowFailureError, WorkflowHandle

from signalbox_core.ids import run_key
from signalbox_core.pipeline.contract.external_event import (
    MAILBOX,
    MAX_MAILBOX_WAITS,
    MailboxAddress,
    MailboxContent,
    MailboxWait,
)
from signalbox_core.testing.pipeline import PipelineUnderTest, replay
from support.shipping.contract import DISPATCHED, PAYMENT, SPEC, ShippingInput, ShippingResult
from support.shipping.orders import PAID, PARCEL, new_order


async def start_mailbox(pipeline: PipelineUnderTest, order: str, waits: list[MailboxWait]) -> WorkflowHandle:
    """Start the mailbox of an order with the waits of other runs."""
    keep_s = PAYMENT.keep.total_seconds()
    address = MailboxAddress(tenant="acme", pipeline=SPEC.name, name=PAYMENT.name, key=order, keep_s=keep_s)
    content = MailboxContent(name=PAYMENT.name, key=order, keep_s=keep_s, waits=tuple(waits))
    return await pipeline.client.start_workflow(
        MAILBOX, content, id=address.workflow_id, task_queue=pipeline.task_queue
    )


def wait_of(run_id: str) -> MailboxWait:
    expires_at = datetime.now(UTC) + timedelta(days=1)
    return MailboxWait(workflow_id=run_key("acme", run_id), wait_id=PAYMENT.name, expires_at=expires_at)


async def test_a_run_too_many_is_refused_and_the_first_one_gets_the_event(
    shipping: PipelineUnderTest,
) -> None:
    order = new_order()
    others = [wait_of(f"none-{number}") for number in range(MAX_MAILBOX_WAITS - 1)]
    mailbox = await start_mailbox(shipping, order, [wait_of(f"{order}-first"), *others])
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
