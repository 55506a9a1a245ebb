"""The condition that wakes the waits for outcomes, beside another condition that becomes true with it."""

import asyncio
import secrets
from datetime import timedelta

from temporalio import workflow
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from signalbox_core.pipeline.workflow.waits import OutcomeWaits
from support.assertions.eventually import eventually


@workflow.defn(name="asks-again")
class AsksAgain:
    """Asks one question beside a condition of its own, and the next when that condition is true."""

    def __init__(self) -> None:
        self._outcomes = OutcomeWaits()
        self._asked: list[str] = []
        self._answered: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        beside = asyncio.create_task(self._ask("first"))
        # Older than the condition of the outcomes, so it is the first of the two that are true at once.
        await workflow.wait_condition(lambda: self._answered == ["first"])
        await self._ask("last")
        await beside
        return self._answered

    @workflow.signal
    async def end(self, approval_id: str) -> None:
        self._outcomes.end(approval_id)

    @workflow.query
    def asked(self) -> list[str]:
        return self._asked

    async def _ask(self, approval_id: str) -> None:
        self._asked.append(approval_id)
        await self._outcomes.wait(approval_id)
        self._answered.append(approval_id)


async def test_a_question_that_is_asked_as_the_last_one_ends_is_woken_too(client: Client) -> None:
    queue = f"outcomes-{secrets.token_hex(4)}"
    async with Worker(
        client, task_queue=queue, workflows=[AsksAgain], workflow_runner=UnsandboxedWorkflowRunner()
    ):
        run = await client.start_workflow(
            AsksAgain.run, id=queue, task_queue=queue, run_timeout=timedelta(minutes=5)
        )
        for asked in (["first"], ["first", "last"]):

            async def is_asked(asked: list[str] = asked) -> bool:
                try:
                    return await run.query(AsksAgain.asked) == asked
                except RPCError as error:
                    if error.status == RPCStatusCode.FAILED_PRECONDITION:
                        return False  # The first workflow task has not ended yet.
                    raise

            await eventually(is_asked, within_s=60)
            await run.signal(AsksAgain.end, asked[-1])

        assert await asyncio.wait_for(run.result(), 60) == ["first", "last"]
