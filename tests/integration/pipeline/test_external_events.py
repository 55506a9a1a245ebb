"""Waiting for external events: matching, early arrivals, duplicates, timeouts, cancels, replay."""

import msgspec
import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from signalbox_core.pipeline.contract.external_event import InboundEvent
from signalbox_core.testing.external_events import inbound_event, send_to_run
from signalbox_core.testing.pipeline import PipelineUnderTest, RunUnderTest, pipeline_under_test, replay
from support.shipping.activities import file_parcel
from support.shipping.contract import (
    DISPATCHED,
    PAYMENT,
    SPEC,
    ShippingInput,
    ShippingResult,
)
from support.shipping.orders import PAID, PARCEL, new_order


async def finish(run: RunUnderTest) -> ShippingResult:
    await run.send_event(DISPATCHED, PARCEL)
    result = await run.result()
    assert isinstance(result, ShippingResult)
    return result


async def test_an_event_with_the_key_resumes_the_run_that_waits_for_it(shipping: PipelineUnderTest) -> None:
    order = new_order()
    run = await shipping.start(ShippingInput(order=order))
    wait = await run.wait("payment.settled")

    record = await shipping.send_event(PAYMENT, PAID, key=order, event_id="evt-1")

    assert record is not None
    assert (wait.status, wait.key, wait.title, wait.step) == ("pending", order, "the payment", "pay")
    assert await finish(run) == ShippingResult(amount=4_200, parcel="P1")
    ended = (await run.snapshot()).waits[0]
    assert (ended.wait_id, ended.status, ended.event_id) == ("payment.settled", "received", "evt-1")
    assert run.event_names().count("wait.requested") == run.event_names().count("wait.received") == 2


async def test_an_event_that_arrives_before_its_wait_is_kept_for_it(shipping: PipelineUnderTest) -> None:
    order = new_order()
    kept = await shipping.send_event(PAYMENT, PAID, key=order)
    run = await shipping.start(ShippingInput(order=order))
    early = await run.send_event(DISPATCHED, PARCEL)

    assert await run.result() == ShippingResult(amount=4_200, parcel="P1")
    assert kept is not None
    assert (kept.status, early.status) == ("kept", "kept")


async def test_of_an_event_id_one_wait_is_ended_and_duplicates_are_named(shipping: PipelineUnderTest) -> None:
    order = new_order()
    first, second = [await shipping.start(ShippingInput(order=order)) for _ in range(2)]
    for run in (first, second):
        await run.wait("payment.settled")

    records = [await shipping.send_event(PAYMENT, PAID, key=order, event_id="same") for _ in range(3)]

    # The first is kept if it overtakes the waits on their way to the mailbox.
    statuses = [record.status for record in records if record]
    assert statuses[0] in ("kept", "received")
    assert statuses[1:] == ["duplicate", "duplicate"]
    await shipping.send_event(PAYMENT, PAID, key=order, event_id="other")
    assert [await finish(run) for run in (first, second)] == [ShippingResult(amount=4_200, parcel="P1")] * 2
    received = [(await run.snapshot()).waits[0].event_id for run in (first, second)]
    assert sorted(str(event_id) for event_id in received) == ["other", "same"]


async def test_a_duplicate_that_is_addressed_to_the_run_is_refused_before_it_enters_the_history(
    shipping: PipelineUnderTest,
) -> None:
    run = await shipping.start(ShippingInput(order=new_order()))
    await run.send_event(PAYMENT, PAID, event_id="evt-1")

    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await run.send_event(PAYMENT, PAID, event_id="evt-1")

    assert code_of(refused) == "duplicate_event"
    assert await finish(run) == ShippingResult(amount=4_200, parcel="P1")


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        pytest.param("payment.lost", b"{}", "unknown_event", id="undeclared"),
        pytest.param("payment.settled", b'{"amount":0}', "invalid_event", id="invalid"),
    ],
)
async def test_an_event_that_the_contract_does_not_allow_is_refused(
    shipping: PipelineUnderTest, name: str, data: bytes, code: str
) -> None:
    event = InboundEvent(name=name, event_id="e", data=msgspec.Raw(data), delivery_id="d")
    run = await shipping.start(ShippingInput(order=new_order()))
    await run.wait("payment.settled")

    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await send_to_run(run.handle, event)
    await run.handle.signal("deliver_event", event)

    assert code_of(refused) == code
    await run.send_event(PAYMENT, PAID, event_id="e")
    assert await finish(run) == ShippingResult(amount=4_200, parcel="P1")
    await replay(SPEC, await run.handle.fetch_history())


async def test_a_malformed_signal_does_not_stop_the_run(shipping: PipelineUnderTest) -> None:
    run = await shipping.start(ShippingInput(order=new_order()))
    await run.handle.signal("deliver_event", ["no", "event"])
    await run.send_event(PAYMENT, PAID)

    assert await finish(run) == ShippingResult(amount=4_200, parcel="P1")


async def test_what_arrived_while_no_worker_ran_is_received(shipping: PipelineUnderTest) -> None:
    order = new_order()
    run = await shipping.start(ShippingInput(order=order))
    await run.wait("payment.settled")

    async with shipping.without_worker():
        await run.handle.signal("deliver_event", inbound_event(PAYMENT, PAID))
        await run.handle.signal("deliver_event", inbound_event(DISPATCHED, PARCEL))

    assert await run.result() == ShippingResult(amount=4_200, parcel="P1")
    await replay(SPEC, await run.handle.fetch_history())


async def test_a_withdrawn_wait_leaves_its_event_to_the_next_run(shipping: PipelineUnderTest) -> None:
    order = new_order()
    run = await shipping.start(ShippingInput(order=order, cancels_own_wait=True))
    await run.wait("payment.settled")
    await run.send_event(DISPATCHED, PARCEL, event_id="first")
    await run.wait("payment.settled-2")

    await shipping.send_event(PAYMENT, PAID, key=order)

    assert await finish(run) == ShippingResult(amount=4_200, parcel="P1")
    statuses = {item.wait_id: item.status for item in (await run.snapshot()).waits}
    assert statuses["payment.settled"] == "withdrawn"
    assert statuses["payment.settled-2"] == "received"
    await replay(SPEC, await run.handle.fetch_history())


async def test_a_cancelled_run_waits_no_longer_and_the_next_one_gets_the_event(
    shipping: PipelineUnderTest,
) -> None:
    order = new_order()
    first = await shipping.start(ShippingInput(order=order))
    await first.wait("payment.settled")
    await first.cancel("not needed")
    with pytest.raises(WorkflowFailureError):
        await first.result()
    second = await shipping.start(ShippingInput(order=order))
    await second.wait("payment.settled")

    await shipping.send_event(PAYMENT, PAID, key=order)

    assert await finish(second) == ShippingResult(amount=4_200, parcel="P1")
    assert [item.status for item in (await first.snapshot()).waits] == ["cancelled"]


async def test_early_events_continue_as_new_with_the_run(shipping: PipelineUnderTest) -> None:
    order = new_order()
    run = await shipping.start(ShippingInput(order=order, continues_as_new=True))
    await run.wait("parcel.dispatched")
    await run.send_event(PAYMENT, PAID, event_id="early")
    await run.send_event(DISPATCHED, PARCEL)

    assert await run.result() == ShippingResult(amount=4_200)
    waits = (await run.snapshot()).waits
    assert [(item.wait_id, item.event_id) for item in waits][-1] == ("payment.settled", "early")


async def test_without_an_event_the_run_fails_with_the_name_of_what_it_waited_for() -> None:
    async with pipeline_under_test(SPEC, activities=[file_parcel], skip_time=True) as pipeline:
        run = await pipeline.start(ShippingInput(order="4711"))

        with pytest.raises(WorkflowFailureError):
            await run.result()  # a week later, in a second

        error = (await run.snapshot()).error
        assert error is not None
        assert error.code == "wait_expired"
        assert "payment.settled with key 4711" in error.message
        assert run.event_names()[-3:] == ["wait.expired", "step.failed", "run.failed"]
        await replay(SPEC, await run.handle.fetch_history())


async def test_a_workflow_can_catch_the_timeout() -> None:
    async with pipeline_under_test(SPEC, activities=[file_parcel], skip_time=True) as pipeline:
        run = await pipeline.start(ShippingInput(order="4711", patience_s=60, catches=True))

        assert await run.result() == ShippingResult(amount=0)
        assert [item.status for item in (await run.snapshot()).waits] == ["expired"]


async def test_with_a_cache_of_one_workflow_runs_are_replayed_all_the_time(client: Client) -> None:
    async with pipeline_under_test(
        SPEC, activities=[file_parcel], client=client, max_cached_workflows=1
    ) as pipeline:
        orders = [new_order() for _ in range(3)]
        runs = [await pipeline.start(ShippingInput(order=order)) for order in orders]
        for order, run in zip(orders, runs, strict=True):
            await run.wait("payment.settled")
            await pipeline.send_event(PAYMENT, PAID, key=order)

        assert [await finish(run) for run in runs] == [ShippingResult(amount=4_200, parcel="P1")] * 3


def code_of(refused: pytest.ExceptionInfo[WorkflowUpdateFailedError]) -> str | None:
    cause = refused.value.cause
    assert isinstance(cause, ApplicationError)
    return cause.type
