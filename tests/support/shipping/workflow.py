"""The workflow of `shipping`."""

import asyncio
from datetime import timedelta

from temporalio import workflow

from signalbox_core.pipeline.options import CallOptions
from signalbox_core.pipeline.run import Run, WaitExpiredError
from support.shipping.activities import announce_parcel, file_parcel
from support.shipping.contract import DISPATCHED, PAYMENT, SPEC, ShippingInput, ShippingResult

WORK = CallOptions(timeout=timedelta(seconds=10))


@workflow.defn(name="shipping")
class ShippingWorkflow:
    @workflow.init
    def __init__(self, request: ShippingInput) -> None:
        self.signalbox = Run(SPEC)

    @workflow.run
    async def run(self, request: ShippingInput) -> ShippingResult:
        async with self.signalbox as run:
            if request.cancels_own_wait:
                await give_up_on_the_payment(run, request)
            if request.continues_as_new and workflow.info().continued_run_id is None:
                await run.wait_for(DISPATCHED)
                workflow.continue_as_new(request)
            if request.by_callback:
                return await called_back(run, request)
            if request.withdraws in ("at once", "continues"):
                await withdraw_payment(run, request)
                return ShippingResult(amount=0, parcel=(await run.wait_for(DISPATCHED)).parcel)
            if request.withdraws == "late":
                return ShippingResult(amount=await paid_in_the_end(run, request))
            async with run.step("pay"):
                amount = await paid(run, request)
            if amount == 0 or request.continues_as_new:
                return ShippingResult(amount=amount)
            async with run.step("ship") as step:
                dispatched = await run.wait_for(DISPATCHED)
                parcel = await step.call(file_parcel, dispatched.parcel, WORK)
            return ShippingResult(amount=amount, parcel=parcel)


async def called_back(run: Run, request: ShippingInput) -> ShippingResult:
    patience = timedelta(seconds=request.patience_s) if request.patience_s is not None else None
    async with run.step("ship") as step:
        carrier = run.callback(DISPATCHED, timeout=patience)
        await step.call(announce_parcel, carrier.callback, WORK)
        dispatched = await carrier.received()
    return ShippingResult(amount=0, parcel=dispatched.parcel)


async def paid(run: Run, request: ShippingInput) -> int:
    patience = timedelta(seconds=request.patience_s) if request.patience_s is not None else None
    try:
        payment = await run.wait_for(PAYMENT, key=request.order, timeout=patience)
    except WaitExpiredError:
        if not request.catches:
            raise
        return 0
    return payment.amount


async def withdraw_payment(run: Run, request: ShippingInput) -> None:
    """Begin to wait for the payment and give up: in the same workflow task, or by continue-as-new."""
    if workflow.info().continued_run_id is not None:
        return
    payment = asyncio.create_task(run.wait_for(PAYMENT, key=request.order))
    if request.withdraws == "continues":
        await run.wait_for(DISPATCHED)
        workflow.continue_as_new(request)
    await asyncio.sleep(0)
    payment.cancel()
    await asyncio.gather(payment, return_exceptions=True)


async def paid_in_the_end(run: Run, request: ShippingInput) -> int:
    """Give up the wait for the payment when the carrier comes; wait again unless it has returned."""
    payment = asyncio.create_task(run.wait_for(PAYMENT, key=request.order))
    await run.wait_for(DISPATCHED)
    payment.cancel()
    [outcome] = await asyncio.gather(payment, return_exceptions=True)
    return await paid(run, request) if isinstance(outcome, BaseException) else outcome.amount


async def give_up_on_the_payment(run: Run, request: ShippingInput) -> None:
    """Wait for the payment and the carrier at once; the carrier comes first."""
    payment = asyncio.create_task(run.wait_for(PAYMENT, key=request.order))
    await run.wait_for(DISPATCHED)
    payment.cancel()
    await asyncio.gather(payment, return_exceptions=True)
