"""The workflow of `letter`."""

from datetime import timedelta

from temporalio import workflow

from signalbox_core.pipeline.options import CallOptions
from signalbox_core.pipeline.run import Run
from support.uploads.activities import Activities
from support.uploads.contract import SPEC, LetterInput, LetterResult


@workflow.defn(name="letter")
class Letter:
    @workflow.init
    def __init__(self, _request: LetterInput) -> None:
        self.signalbox = Run(SPEC)

    @workflow.run
    async def run(self, request: LetterInput) -> LetterResult:
        async with self.signalbox as run, run.step("read") as step:
            options = CallOptions(timeout=timedelta(seconds=30))
            return LetterResult(size_bytes=await step.call(Activities.read, request, options))
