"""As many runs as may wait for one key: a further one is refused, and displaces none."""

import asyncio

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowFailureError, WorkflowHistory

from signalbox_core.pipeline.contract.external_event import (
    DELIVER_EVENT,
    DELIVER_TO_MAILBOX,
    MAX_MAILBOX_WAITS,
    OPEN_WAIT,
    REFUSE_WAIT,
)
from signalbox_core.pipeline.workflow.external.mailbox import MAX_MESSAGES
from signalbox_core.testing.external_events import inbound_event
from signalbox_core.testing.pipeline import PipelineUnderTest, RunUnderTest, replay
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


async def refusal_of(run: RunUnderTest) -> str | None:
    """Wait for the end of a run, and return the code of its failure."""
    with pytest.raises(WorkflowFailureError):
        await asyncio.wait_for(run.result(), 60)
    error = (await run.snapshot()).error
    return error.code if error is not None else None


def signals_sent(history: WorkflowHistory) -> list[str]:
    kind = EventType.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED
    return [
        event.signal_external_workflow_execution_initiated_event_attributes.signal_name
        for event in history.events
        if event.event_type == kind
    ]


async def test_events_do_not_wait_for_hundreds_of_refusals_and_the_mailbox_continues_as_new_in_time(
    shipping: PipelineUnderTest,
) -> None:
    order = new_order()
    first, late = [await shipping.start(ShippingInput(order=new_order())) for _ in range(2)]
    for run in (first, late):
        await run.wait(PAYMENT.name)
    others = (wait_of(f"none-{number}") for number in range(MAX_MAILBOX_WAITS - 1))
    async with shipping.without_worker():
        mailbox = await start_mailbox(shipping, order, waits=(wait_of(first.run_id), *others))
        for number in range(MAX_MESSAGES):
            await mailbox.signal(OPEN_WAIT, wait_of(f"refused-{number}"))
        await mailbox.signal(OPEN_WAIT, wait_of(late.run_id))
        await mailbox.signal(DELIVER_TO_MAILBOX, inbound_event(PAYMENT, PAID, key=order))

    await first.wait(DISPATCHED.name)
    assert await refusal_of(late) == "too_many_waiters"
    executions = [
        await shipping.client.get_workflow_handle(mailbox.id, run_id=run_id).fetch_history()
        for run_id in (mailbox.first_execution_run_id, None)
    ]

    assert signals_sent(executions[0])[:101] == [REFUSE_WAIT] * 100 + [DELIVER_EVENT]
    assert len(signals_sent(executions[0])) < MAX_MESSAGES
    assert set(signals_sent(executions[1])) == {REFUSE_WAIT}
    for history in executions:
        await replay(SPEC, history)


async def test_a_mailbox_sends_the_refusals_of_its_previous_execution_before_it_ends(
    shipping: PipelineUnderTest,
) -> None:
    run = await shipping.start(ShippingInput(order=new_order()))
    await run.wait(PAYMENT.name)

    mailbox = await start_mailbox(shipping, new_order(), refused_waits=(wait_of(run.run_id),))

    assert await refusal_of(run) == "too_many_waiters"
    await asyncio.wait_for(mailbox.result(), 60)
    await replay(SPEC, await mailbox.fetch_history())
