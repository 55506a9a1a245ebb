"""Waiting for the votes that end many questions, with one condition for all of them."""

import asyncio

from temporalio import workflow


class OutcomeWaits:
    """Wakes each `ask` whose question the votes have ended.

    Temporal evaluates every condition of a workflow whenever the workflow has done some work. With a
    condition for each question, every decision costs time in proportion to the questions that are open. The
    condition here looks only at the questions that have ended. It wakes their waits itself: at that point
    the other work of the workflow task is done, as it would be for a condition of their own.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._ended: list[str] = []
        self._condition_task: asyncio.Task[None] | None = None

    def end(self, approval_id: str) -> None:
        """Note that votes have ended a question."""
        self._ended.append(approval_id)

    async def wait(self, approval_id: str) -> None:
        """Wait until votes end a question that they have not ended yet. One wait at a time per question."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[approval_id] = future
        if self._condition_task is None or self._condition_task.done():
            self._condition_task = asyncio.create_task(
                workflow.wait_condition(self._wake_ended), name="signalbox outcomes"
            )
        try:
            await future
        finally:
            del self._waiting[approval_id]

    def _wake_ended(self) -> bool:
        """Wake the waits of the questions that have ended; True once nothing waits any more."""
        for approval_id in self._ended:
            future = self._waiting.get(approval_id)
            if future is not None and not future.done():
                future.set_result(None)
        self._ended.clear()
        return not self._waiting
