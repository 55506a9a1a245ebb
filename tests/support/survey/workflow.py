"""The workflow of the survey pipeline."""

import asyncio

from temporalio import workflow

from signalbox_core.pipeline.run import Run
from support.survey.contract import PAGE, SPEC, SurveyInput, SurveyResult


@workflow.defn(name="survey")
class Survey:
    @workflow.init
    def __init__(self, request: SurveyInput) -> None:
        self.signalbox = Run(SPEC)

    @workflow.run
    async def run(self, request: SurveyInput) -> SurveyResult:
        async with self.signalbox as run, run.step("ask"):
            answers = await asyncio.gather(
                *(
                    run.ask(PAGE, options=[f"Page {number}"], evidence={"text": "lorem ipsum " * 20})
                    for number in range(1, request.questions + 1)
                )
            )
            return SurveyResult(agreed=sum(answer.agree for answer in answers))
