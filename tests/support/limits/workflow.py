"""The workflow of `limits`."""

import asyncio
from datetime import timedelta

from temporalio import workflow

from signalbox_core.pipeline.options import CallOptions
from signalbox_core.pipeline.run import Run
from support.limits.activities import fetch
from support.limits.contract import SPEC, LimitsInput, LimitsResult


@workflow.defn(name="limits")
class Limits:
    @workflow.init
    def __init__(self, _request: LimitsInput) -> None:
        self.signalbox = Run(SPEC)

    @workflow.run
    async def run(self, request: LimitsInput) -> LimitsResult:
        options = CallOptions(
            timeout=timedelta(minutes=1),
            maximum_attempts=2,
            first_retry_after=timedelta(milliseconds=10),
            rate_limit_wait=timedelta(seconds=request.rate_limit_wait_s),
        )
        chars, text = 0, ""
        async with self.signalbox as run:
            for number in range(1, request.rounds + 1):
                title = f"Fetch part {number} of {request.rounds}"
                async with run.step("fetch", title=title, number=number) as step:
                    async with asyncio.timeout(request.timeout_s):
                        text = await step.call(fetch, request, options)
                        chars += len(text)
            async with run.step("end"):
                return LimitsResult(chars=chars, text=text if request.returns_text else "")
