"""The workflow of the nap pipeline: all naps at once or a few at a time."""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from support.installed.nap.contract import NapInput, NapResult

_HINT_INTERVAL = 10


@workflow.defn(name="nap")
class Nap:
    @workflow.run
    async def run(self, request: NapInput) -> NapResult:
        slots = asyncio.Semaphore(request.in_flight or request.naps)
        scheduled = 0

        async def nap(number: int) -> int:
            nonlocal scheduled
            async with slots:
                scheduled += 1
                if request.hints and scheduled % _HINT_INTERVAL == 0:
                    await self._hint(request.naps - scheduled, request.in_flight)
                share = number * 0.618034 % 1
                seconds = request.shortest_s + share * (request.longest_s - request.shortest_s)
                attempt: int = await workflow.execute_activity(
                    "nap.rest",
                    seconds,
                    start_to_close_timeout=timedelta(seconds=request.timeout_s),
                    retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=100)),
                )
                return attempt

        if request.hints:
            await self._hint(request.naps, request.in_flight)
        attempts = await asyncio.gather(*(nap(number) for number in range(request.naps)))
        if request.hints:
            await self._hint(0, request.in_flight)
        return NapResult(naps=len(attempts), attempts=sum(attempts))

    async def _hint(self, remaining: int, in_flight: int) -> None:
        await workflow.execute_activity(
            "nap.hint", args=[remaining, in_flight], start_to_close_timeout=timedelta(seconds=10)
        )
