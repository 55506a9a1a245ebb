"""A run rebuilt from its history, at any moment, is the same run."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError

from signalbox_core.testing.pipeline import pipeline_under_test, replay
from support.assertions.eventually import eventually
from support.sample.contract import SPEC, Pick, SampleInput

STORIES = [
    pytest.param(SampleInput(items=3), id="plain"),
    pytest.param(SampleInput(items=3, ask=True), id="asking"),
    pytest.param(SampleInput(misuse="x"), id="failing"),
    pytest.param(SampleInput(items=0), id="empty map"),
]


@pytest.mark.parametrize("request_", STORIES)
async def test_a_finished_run_replays(
    client: Client, sample_activities: list[Callable[..., Any]], request_: SampleInput
) -> None:
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:
        run = await pipeline.start(request_)
        if request_.ask:
            await run.decide("pick", Pick(number=1))
        if request_.misuse:
            with pytest.raises(WorkflowFailureError):
                await run.result()
        else:
            await run.result()

        await replay(SPEC, await run.handle.fetch_history())


async def test_a_cancelled_run_replays(client: Client, sample_activities: list[Callable[..., Any]]) -> None:
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:
        run = await pipeline.start(SampleInput(ask=True))
        await run.approval("pick")
        await run.cancel("enough")
        with pytest.raises(WorkflowFailureError):
            await run.result()

        await replay(SPEC, await run.handle.fetch_history())


async def test_a_run_whose_receiver_was_down_replays(
    client: Client, sample_activities: list[Callable[..., Any]]
) -> None:
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:
        pipeline.emitter.milestones_down = True
        run = await pipeline.start(SampleInput())
        await run.result()
        pipeline.emitter.milestones_down = False
        await eventually(lambda: run.event_names()[-1:] == ["run.completed"], within_s=30)

        await replay(SPEC, await run.handle.fetch_history())
        outbox = client.get_workflow_handle(f"{run.handle.id}/outbox")
        await outbox.result()
        await replay(SPEC, await outbox.fetch_history())


async def test_runs_that_push_each_other_out_of_the_cache_lose_and_double_nothing(
    client: Client, sample_activities: list[Callable[..., Any]], caplog: pytest.LogCaptureFixture
) -> None:
    async with pipeline_under_test(
        SPEC, activities=sample_activities, client=client, max_cached_workflows=1
    ) as pipeline:
        runs = [await pipeline.start(SampleInput(items=3, ask=True)) for _ in range(5)]
        for run in runs:
            await run.approval("pick")
        for run in reversed(runs):
            await run.decide("pick", Pick(number=2))

        for run in runs:
            assert (await run.result()).picked == 2
            assert [event.sequence for event in run.events()] == list(range(1, 10))
            assert len({event.id for event in run.events()}) == 9
        assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_runs_cancelled_while_out_of_the_cache_still_clean_up(
    client: Client, sample_activities: list[Callable[..., Any]], caplog: pytest.LogCaptureFixture
) -> None:
    async with pipeline_under_test(
        SPEC, activities=sample_activities, client=client, max_cached_workflows=1
    ) as pipeline:
        runs = [await pipeline.start(SampleInput(items=1, ask=True)) for _ in range(3)]
        for run in runs:
            await run.approval("pick")
        for run in runs:
            await run.cancel("all of them")

        for run in runs:
            with pytest.raises(WorkflowFailureError):
                await run.result()
            assert run.event_names()[-1] == "run.cancelled"
        assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
