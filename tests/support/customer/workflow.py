"""The workflow of the discount pipeline: it asks once and applies the answer."""

from datetime import timedelta

from temporalio import workflow

from signalbox_core.pipeline.options import CallOptions
from signalbox_core.pipeline.run import Run
from support.customer.activities import apply_discount
from support.customer.contract import DISCOUNT, SPEC, DiscountInput, DiscountResult

APPLY = CallOptions(timeout=timedelta(seconds=30))


@workflow.defn(name="discount")
class Discount:
    @workflow.init
    def __init__(self, _request: DiscountInput) -> None:
        self.signalbox = Run(SPEC)

    @workflow.run
    async def run(self, request: DiscountInput) -> DiscountResult:
        async with self.signalbox as run:
            async with run.step("ask"):
                evidence = {"customer": request.customer}
                answer = await run.ask(DISCOUNT, options=["grant", "refuse"], evidence=evidence)
            async with run.step("apply") as step:
                return DiscountResult(percent=await step.call(apply_discount, answer, APPLY))
