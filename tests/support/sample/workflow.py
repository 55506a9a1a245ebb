"""The workflow of the sample pipeline."""

import asyncio
from datetime import timedelta

from msgspec import structs
from temporalio import workflow

from signalbox_core.errors import InvalidInput
from signalbox_core.pipeline.options import QUICK, CallOptions
from signalbox_core.pipeline.run import Run
from support.sample.activities import make, prepare, undo
from support.sample.contract import PICK, SPEC, Made, Pick, SampleInput, SampleResult

WORK = CallOptions(
    timeout=timedelta(seconds=10), maximum_attempts=3, first_retry_after=timedelta(milliseconds=10)
)


@workflow.defn(name="sample")
class Sample:
    @workflow.init
    def __init__(self, request: SampleInput) -> None:
        self.signalbox = Run(SPEC)
        self.may_go = False

    @workflow.signal
    def go_on(self) -> None:
        self.may_go = True

    @workflow.run
    async def run(self, request: SampleInput) -> SampleResult:
        async with self.signalbox as run:
            run.on_cancel(self.take_back)
            options = QUICK if request.local else WORK
            if request.hold:
                await workflow.wait_condition(lambda: self.may_go)
            async with run.step("prepare") as step:
                numbers = await step.call(prepare, request, options)
                step.say(f"{len(numbers)} to make")
            async with run.step(request.misuse or "work") as step:
                made = await step.map(make, numbers, options)
            if request.give_up:
                await self.ask_and_give_up(request, made)
            if request.rounds:
                workflow.continue_as_new(structs.replace(request, rounds=request.rounds - 1))
            run.emit("sample.made", Made(number=len(made), label="all"))
            picked = None
            if request.ask:
                picked = await run.ask(PICK, options=made, check=lambda answer: _among(answer, made))
            return SampleResult(made=[item.number for item in made], picked=picked.number if picked else None)

    async def ask_and_give_up(self, request: SampleInput, made: list[Made]) -> None:
        """Ask, and stop waiting when told to go on: by continue-as-new or by cancelling the wait."""
        question = asyncio.create_task(self.signalbox.ask(PICK, options=made))
        await workflow.wait_condition(lambda: self.may_go)
        if request.rounds:
            workflow.continue_as_new(structs.replace(request, rounds=request.rounds - 1, give_up=False))
        question.cancel()
        await asyncio.gather(question, return_exceptions=True)

    async def take_back(self) -> None:
        await workflow.execute_activity(undo, 1, start_to_close_timeout=timedelta(seconds=10))


def _among(answer: Pick, made: list[Made]) -> None:
    if answer.number not in {item.number for item in made}:
        raise InvalidInput(f"there is no number {answer.number}", field="number")
