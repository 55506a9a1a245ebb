"""The same work twice: as a Signalbox pipeline, and as a plain workflow of the SDK."""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from signalbox_core.pipeline.options import QUICK, CallOptions
    from signalbox_core.pipeline.run import Run
    from support.whole.chain.activities import nothing
    from support.whole.chain.contract import GO, SPEC, ChainInput, ChainResult

TIMEOUT = timedelta(seconds=30)
OPTIONS = CallOptions(timeout=TIMEOUT, maximum_attempts=3)


@workflow.defn(name="chain")
class Chain:
    @workflow.init
    def __init__(self, request: ChainInput) -> None:
        self.signalbox = Run(SPEC)

    @workflow.run
    async def run(self, request: ChainInput) -> ChainResult:
        options = QUICK if request.quick else OPTIONS
        done = 0
        async with self.signalbox as run:
            for number in range(request.steps):
                async with run.step(f"step-{number}") as step:
                    await step.call(nothing, number, options)
                    done += 1
            if request.parallel:
                async with run.step("step-0") as step:
                    done += len(await step.map(nothing, range(request.parallel), options))
            if request.asks:
                await run.ask(GO, options=None, evidence=None)
        return ChainResult(done=done)


@workflow.defn(name="plain")
class Plain:
    def __init__(self) -> None:
        self._answer: bool | None = None

    @workflow.run
    async def run(self, request: ChainInput) -> ChainResult:
        done = 0
        for number in range(request.steps):
            await self._call(number)
            done += 1
        calls = [self._call(number) for number in range(request.parallel)]
        done += len(await asyncio.gather(*calls))
        if request.asks:
            await workflow.wait_condition(lambda: self._answer is not None)
        return ChainResult(done=done)

    @workflow.update
    def answer(self, yes: bool) -> None:
        self._answer = yes

    def _call(self, number: int) -> "asyncio.Future[int]":
        return workflow.start_activity(
            nothing, number, start_to_close_timeout=TIMEOUT, retry_policy=RetryPolicy(maximum_attempts=3)
        )
