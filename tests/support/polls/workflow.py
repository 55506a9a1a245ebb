"""The workflow of the polls pipeline, before and after an edit of its contract."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from msgspec import Struct
from temporalio import workflow
from temporalio.exceptions import ApplicationError

from signalbox_core.pipeline import PipelineSpec
from signalbox_core.pipeline.run import Run
from support.polls.contract import (
    EDITED,
    SPEC,
    EditedPollAnswer,
    Poll,
    PollAnswer,
    PollsInput,
    PollsResult,
    check_answer,
    check_edited,
)

PROPOSED = "yes"


class _Polls:
    """Asks all questions; a signal withdraws one, asks one again, or ends the run."""

    def __init__(self, spec: PipelineSpec, answer: type[Struct], check: Callable[[Any], None]) -> None:
        self.signalbox = Run(spec)
        self._answer = answer
        self._check = check
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._outcomes: dict[str, str] = {}
        self._asked_twice: dict[str, str] = {}
        self._repeats: list[asyncio.Task[None]] = []
        self._is_finished = False

    async def ask_all(self, request: PollsInput) -> PollsResult:
        async with self.signalbox as run, run.step("ask"):
            self._tasks = {
                poll.approval_id: asyncio.create_task(self._ask(run, poll)) for poll in request.polls
            }
            await workflow.wait_condition(lambda: self._is_finished)
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), *self._repeats, return_exceptions=True)
            return PollsResult(outcomes=self._outcomes, asked_twice=self._asked_twice)

    @workflow.signal
    def withdraw(self, approval_id: str) -> None:
        self._tasks[approval_id].cancel()

    @workflow.signal
    def ask_again(self, poll: Poll) -> None:
        self._repeats.append(asyncio.create_task(self._ask_twice(poll)))

    @workflow.signal
    def finish(self) -> None:
        self._is_finished = True

    async def _ask(self, run: Run, poll: Poll) -> None:
        await asyncio.sleep(poll.asked_after_s)
        default: dict[str, Any] = {"default": self._answer(word="default")} if poll.has_default else {}
        try:
            answer = await run.ask(
                poll.approval,
                options=[poll.approval_id],
                approval_id=poll.approval_id,
                check=self._check,
                deadline=timedelta(seconds=poll.deadline_s),
                proposal={"word": PROPOSED},
                **default,
            )
        except ApplicationError as error:
            self._outcomes[poll.approval_id] = str(error.type)
        except asyncio.CancelledError:
            self._outcomes[poll.approval_id] = "withdrawn"
            raise
        else:
            self._outcomes[poll.approval_id] = answer.word

    async def _ask_twice(self, poll: Poll) -> None:
        try:
            await self.signalbox.ask(poll.approval, options=[], approval_id=poll.approval_id)
        except ApplicationError as error:
            self._asked_twice[poll.approval_id] = str(error.type)


@workflow.defn(name="polls")
class Polls(_Polls):
    @workflow.init
    def __init__(self, _request: PollsInput) -> None:
        super().__init__(SPEC, PollAnswer, check_answer)

    @workflow.run
    async def run(self, request: PollsInput) -> PollsResult:
        return await self.ask_all(request)


@workflow.defn(name="polls")
class EditedPolls(_Polls):
    @workflow.init
    def __init__(self, _request: PollsInput) -> None:
        super().__init__(EDITED, EditedPollAnswer, check_edited)

    @workflow.run
    async def run(self, request: PollsInput) -> PollsResult:
        return await self.ask_all(request)
