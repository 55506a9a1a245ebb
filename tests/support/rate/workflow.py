"""The same work twice: as a Signalbox pipeline, and as a bare workflow of the SDK."""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

from signalbox_core.pipeline.options import CallOptions
from signalbox_core.pipeline.run import Run
from support.rate.activities import nothing
from support.rate.contract import SPEC, RateInput, RateResult

TIMEOUT = timedelta(seconds=30)


@workflow.defn(name="rate")
class Rate:
    @workflow.init
    def __init__(self, request: RateInput) -> None:
        self.signalbox = Run(SPEC)

    @workflow.run
    async def run(self, request: RateInput) -> RateResult:
        async with self.signalbox as run, run.step("work") as step:
            done = await step.map(
                nothing, range(request.activities), CallOptions(timeout=TIMEOUT, maximum_attempts=3)
            )
        return RateResult(done=len(done))


@workflow.defn(name="bare")
class Bare:
    @workflow.run
    async def run(self, request: RateInput) -> RateResult:
        calls = [
            workflow.execute_activity(
                nothing, number, start_to_close_timeout=TIMEOUT, retry_policy=RetryPolicy(maximum_attempts=3)
            )
            for number in range(request.activities)
        ]
        return RateResult(done=len(await asyncio.gather(*calls)))
