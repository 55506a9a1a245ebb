"""The workflow of the stages pipeline."""

from datetime import timedelta

from temporalio import workflow

from signalbox_core.pipeline.options import CallOptions
from signalbox_core.pipeline.run import Run
from support.staged.stages.activities import StageCall, work
from support.staged.stages.contract import GO, SPEC, StagesInput, StagesResult

WORK = CallOptions(
    timeout=timedelta(seconds=30), maximum_attempts=5, first_retry_after=timedelta(milliseconds=50)
)


@workflow.defn(name="stages")
class Stages:
    @workflow.init
    def __init__(self, request: StagesInput) -> None:
        self.signalbox = Run(SPEC)

    @workflow.run
    async def run(self, request: StagesInput) -> StagesResult:
        async with self.signalbox as run:
            async with run.step("first") as step:
                words = [await step.call(work, call_of(request, "first"), WORK)]
            async with run.step("second") as step:
                calls = [call_of(request, "second", item) for item in range(request.items)]
                words += await step.map(work, calls, WORK)
            if request.ask:
                words.append((await run.ask(GO, options=words)).word)
            async with run.step("third") as step:
                words.append(await step.call(work, call_of(request, "third"), WORK))
            return StagesResult(words=tuple(words))


def call_of(request: StagesInput, step: str, item: int = 0) -> StageCall:
    # Of several items the last one fails.
    fails = request.fail_at == step and item == (request.items - 1 if step == "second" else 0)
    return StageCall(folder=request.folder, step=step, item=item, fails=fails, seconds=request.seconds)
