"""A decision that ends its run while events are in flight; the server sometimes aborts such an update."""

import asyncio
from collections.abc import Callable
from typing import Any

from temporalio.client import Client

from signalbox_core.testing.pipeline import pipeline_under_test
from support.sample.contract import SPEC, Pick, SampleInput


async def test_each_of_many_decisions_is_accepted_at_once(
    client: Client, sample_activities: list[Callable[..., Any]]
) -> None:
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:

        async def picked() -> int | None:
            run = await pipeline.start(SampleInput(items=3, ask=True))
            await run.decide("pick", Pick(number=1))
            return (await run.result()).picked

        assert await asyncio.gather(*(picked() for _ in range(20))) == [1] * 20
