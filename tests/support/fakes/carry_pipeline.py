"""A pipeline whose question is carried over several executions of its run (continue-as-new)."""

import asyncio
from contextlib import nullcontext
from datetime import timedelta
from typing import Final

from msgspec import Struct, structs
from temporalio import activity, workflow

with workflow.unsafe.imports_passed_through():
    from signalbox_core.errors import InvalidInput
    from signalbox_core.pipeline.run import Run
    from signalbox_core.pipeline.spec import (
        Approval,
        Default,
        Delegate,
        Escalate,
        PipelineSpec,
        Policy,
        Quorum,
        Remind,
        Step,
    )


class CarryInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the run does.

    Attributes:
        ask: the approval that it asks.
        rounds: how often it continues as new.
        after_s: after how many seconds without an outcome it does so; 0 for the signal `go_on`.
        asks_again: whether the next executions ask again.
        in_step: whether the question belongs to a step.
        next_queue: the task queue of the next execution; by default the same.
    """

    ask: str = "publish"
    rounds: int = 1
    after_s: float = 0
    asks_again: bool = True
    in_step: bool = False
    next_queue: str = ""


class CarryAnswer(Struct, frozen=True, kw_only=True):
    publish: bool
    text: str = ""


class CarryResult(Struct, frozen=True, kw_only=True):
    published: bool
    text: str = ""


FORTNIGHT: Final = timedelta(days=14)
SPEC: Final = PipelineSpec(
    name="carry",
    title="Carry",
    input=CarryInput,
    result=CarryResult,
    steps=(Step("ask", "Ask"),),
    approvals=(
        Approval(name="publish", title="Publish?", answer=CarryAnswer, deadline=FORTNIGHT),
        Approval(
            name="review",
            title="Publish?",
            answer=CarryAnswer,
            deadline=FORTNIGHT,
            policy=Policy(quorum=(Quorum(2),)),
        ),
        Approval(
            name="climb",
            title="Publish?",
            answer=CarryAnswer,
            ladder=(
                Remind(after=timedelta(days=1)),
                Remind(after=timedelta(days=3)),
                Delegate(after=timedelta(days=5), to="group:leads"),
                Escalate(after=timedelta(days=9), to="group:heads"),
                Default(CarryAnswer(publish=False), after=FORTNIGHT),
            ),
        ),
    ),
    workflow="support.fakes.carry_pipeline:CarryWorkflow",
    activities="support.fakes.carry_pipeline:activities",
)
REMOVED: Final = structs.replace(
    SPEC, approvals=(), workflow="support.fakes.carry_pipeline:WorkflowOfRemovedApprovals"
)


@workflow.defn(name="carry")
class CarryWorkflow:
    @workflow.init
    def __init__(self, _request: CarryInput) -> None:
        self.signalbox = Run(SPEC)
        self.may_go = False

    @workflow.signal
    def go_on(self) -> None:
        self.may_go = True

    @workflow.run
    async def run(self, request: CarryInput) -> CarryResult:
        async with self.signalbox as run:
            is_first = run.kept(CarryInput) is None
            if not (is_first or request.asks_again):
                await workflow.wait_condition(lambda: self.may_go)
                return CarryResult(published=False)
            question = asyncio.create_task(self.ask(request))
            if request.rounds and not await self.has_outcome(question, request):
                await self.continue_as_new(request)
            answer = await question
            return CarryResult(published=answer.publish, text=answer.text)

    async def ask(self, request: CarryInput) -> CarryAnswer:
        run = self.signalbox
        async with run.step("ask") if request.in_step else nullcontext():
            answer: CarryAnswer = await run.ask(
                request.ask, options=[request.rounds], check=_check, default=CarryAnswer(publish=False)
            )
        return answer

    async def has_outcome(self, question: "asyncio.Task[CarryAnswer]", request: CarryInput) -> bool:
        """Wait for the outcome of the question, or until the run is to continue as new."""
        if not request.after_s:
            await workflow.wait_condition(lambda: self.may_go)
            return False
        await workflow.wait([question], timeout=request.after_s)
        return question.done()

    async def continue_as_new(self, request: CarryInput) -> None:
        self.signalbox.keep(request)
        await self.signalbox.carry(request.ask)
        workflow.continue_as_new(
            structs.replace(request, rounds=request.rounds - 1), task_queue=request.next_queue or None
        )


@workflow.defn(name="carry")
class WorkflowOfRemovedApprovals:
    """The same workflow after its approvals were removed from the contract: it waits for the signal only."""

    @workflow.init
    def __init__(self, _request: CarryInput) -> None:
        self.signalbox = Run(REMOVED)
        self.may_go = False

    @workflow.signal
    def go_on(self) -> None:
        self.may_go = True

    @workflow.run
    async def run(self, _request: CarryInput) -> CarryResult:
        async with self.signalbox:
            await workflow.wait_condition(lambda: self.may_go)
            return CarryResult(published=False)


def _check(answer: CarryAnswer) -> None:
    if answer.text == "misleading":
        raise InvalidInput("the text is misleading", field="text")


def activities(_deps: object) -> list[object]:
    """Return an activity that no run calls: a worker process refuses a pipeline without any."""
    return [_unused]


@activity.defn(name="carry.unused")
async def _unused() -> None:
    """Do nothing."""
