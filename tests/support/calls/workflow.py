"""The workflows of `purchase` and `quote`."""

import asyncio
from datetime import timedelta

from msgspec import structs
from temporalio import workflow

from signalbox_core.events.states import ChildState
from signalbox_core.pipeline.options import CallOptions
from signalbox_core.pipeline.run import Run
from support.calls.activities import price, total
from support.calls.contract import PURCHASE, QUOTE, PurchaseInput, PurchaseResult, Quote, QuoteInput

WORK = CallOptions(timeout=timedelta(seconds=10), maximum_attempts=2)


@workflow.defn(name="quote")
class QuoteWorkflow:
    @workflow.init
    def __init__(self, _request: QuoteInput) -> None:
        self.signalbox = Run(QUOTE)

    @workflow.run
    async def run(self, request: QuoteInput) -> Quote:
        async with self.signalbox as run, run.step("price") as step:
            if request.hold:
                await workflow.sleep(timedelta(days=1))
            return await step.call(price, request.item, WORK)


def add_children(run: Run, count: int) -> None:
    """Let the run have started runs that have completed."""
    journal = run.state.journal
    earlier = tuple(
        ChildState(run_id=f"earlier-{number}", pipeline="quote", title="Quote", status="completed")
        for number in range(count)
    )
    journal.snapshot = structs.replace(journal.snapshot, children=earlier)


@workflow.defn(name="purchase")
class PurchaseWorkflow:
    @workflow.init
    def __init__(self, _request: PurchaseInput) -> None:
        self.signalbox = Run(PURCHASE)

    @workflow.run
    async def run(self, request: PurchaseInput) -> PurchaseResult:
        async with self.signalbox as run:
            if request.earlier_children:
                add_children(run, request.earlier_children)
            async with run.step("quotes"):
                if request.malformed:
                    await run.call(QUOTE, QuoteInput(item=""))
                quotes = await self.quotes(request)
            async with run.step("total") as step:
                cents = await step.call(total, tuple(quote.cents for quote in quotes), WORK)
            return PurchaseResult(cents=cents, tenants=tuple(quote.tenant for quote in quotes))

    async def quotes(self, request: PurchaseInput) -> list[Quote]:
        wanted = [QuoteInput(item=item, hold=request.hold) for item in request.items]
        if request.background:
            for item in wanted:
                await self.signalbox.start_child(QUOTE, item)
            return []
        return list(
            await asyncio.gather(
                *(self.signalbox.call(QUOTE, item, run_id=request.quote_run_id) for item in wanted)
            )
        )
