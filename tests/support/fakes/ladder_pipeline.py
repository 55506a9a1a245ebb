"""A pipeline whose question climbs an escalation ladder of 14 days."""

from datetime import timedelta
from typing import Final

from msgspec import Struct
from msgspec.structs import replace
from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from signalbox_core.pipeline.run import Run
    from signalbox_core.pipeline.spec import (
        Approval,
        Default,
        Delegate,
        Escalate,
        Expire,
        PipelineSpec,
        Policy,
        Quorum,
        Remind,
        Step,
    )


class LadderInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    text: str = "hi"


class LadderAnswer(Struct, frozen=True, kw_only=True):
    publish: bool


class LadderResult(Struct, frozen=True, kw_only=True):
    published: bool


PUBLISH: Final = Approval(
    name="publish",
    title="Publish?",
    answer=LadderAnswer,
    ladder=(
        Remind(after=timedelta(days=1)),
        Remind(after=timedelta(days=3)),
        Delegate(after=timedelta(days=5), to="group:leads"),
        Escalate(after=timedelta(days=9), to="group:heads"),
        Default(LadderAnswer(publish=False), after=timedelta(days=14)),
    ),
)
SPEC: Final = PipelineSpec(
    name="ladder",
    title="Ladder",
    input=LadderInput,
    result=LadderResult,
    steps=(Step("ask", "Ask"),),
    approvals=(PUBLISH,),
    workflow="support.fakes.ladder_pipeline:LadderWorkflow",
)


REMOVED: Final = replace(
    SPEC,
    approvals=(replace(PUBLISH, ladder=()),),
    workflow="support.fakes.ladder_pipeline:WorkflowOfRemovedLadder",
)
SHORTENED: Final = replace(
    SPEC,
    approvals=(
        replace(PUBLISH, ladder=(Remind(after=timedelta(hours=1)), Expire(after=timedelta(hours=2)))),
    ),
    workflow="support.fakes.ladder_pipeline:WorkflowOfShortenedLadder",
)
HANDED: Final = replace(
    SPEC,
    approvals=(
        replace(
            PUBLISH,
            policy=Policy(quorum=(Quorum(2, group="marketing"),), veto=("legal",)),
            ladder=(Delegate(after=timedelta(seconds=1), to="group:leads"), Expire(after=timedelta(hours=1))),
        ),
    ),
    workflow="support.fakes.ladder_pipeline:WorkflowOfHandedQuestion",
)

GIVEN_DEFAULT: Final = replace(
    SPEC,
    approvals=(replace(PUBLISH, ladder=(Expire(after=timedelta(hours=1)),)),),
    workflow="support.fakes.ladder_pipeline:WorkflowWithGivenDefault",
)


async def ask(run: Run, request: LadderInput) -> LadderResult:
    async with run, run.step("ask"):
        answer: LadderAnswer = await run.ask("publish", options=[request.text])
    return LadderResult(published=answer.publish)


@workflow.defn(name="ladder")
class LadderWorkflow:
    @workflow.init
    def __init__(self, _request: LadderInput) -> None:
        self.signalbox = Run(SPEC)

    @workflow.run
    async def run(self, request: LadderInput) -> LadderResult:
        return await ask(self.signalbox, request)


@workflow.defn(name="ladder")
class WorkflowOfRemovedLadder:
    """The same workflow after the ladder was removed from the contract."""

    @workflow.init
    def __init__(self, _request: LadderInput) -> None:
        self.signalbox = Run(REMOVED)

    @workflow.run
    async def run(self, request: LadderInput) -> LadderResult:
        return await ask(self.signalbox, request)


@workflow.defn(name="ladder")
class WorkflowOfShortenedLadder:
    """The same workflow after the ladder was shortened in the contract."""

    @workflow.init
    def __init__(self, _request: LadderInput) -> None:
        self.signalbox = Run(SHORTENED)

    @workflow.run
    async def run(self, request: LadderInput) -> LadderResult:
        return await ask(self.signalbox, request)


@workflow.defn(name="ladder")
class WorkflowOfHandedQuestion:
    """A question with a policy, which is handed over after a second."""

    @workflow.init
    def __init__(self, _request: LadderInput) -> None:
        self.signalbox = Run(HANDED)

    @workflow.run
    async def run(self, request: LadderInput) -> LadderResult:
        return await ask(self.signalbox, request)


@workflow.defn(name="ladder")
class WorkflowWithGivenDefault:
    """The code gives the default answer, and the contract has none."""

    @workflow.init
    def __init__(self, _request: LadderInput) -> None:
        self.signalbox = Run(GIVEN_DEFAULT)

    @workflow.run
    async def run(self, request: LadderInput) -> LadderResult:
        async with self.signalbox as run, run.step("ask"):
            answer: LadderAnswer = await run.ask(
                "publish", options=[request.text], default=LadderAnswer(publish=True)
            )
        return LadderResult(published=answer.publish)
