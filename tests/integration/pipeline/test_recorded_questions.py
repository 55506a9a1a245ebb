"""A question is recorded by the activity that delivers it, whatever the receiver and the cache do."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from temporalio.client import Client

from signalbox_core.testing.pipeline import FakeEmitter, RunUnderTest, pipeline_under_test, replay
from support.assertions.eventually import eventually
from support.assertions.replays import replay_when_idle
from support.sample.contract import SPEC, Pick, SampleInput, SampleResult

Activities = list[Callable[..., Any]]
ASK = SampleInput(items=2, ask=True)


async def activity_names(run: RunUnderTest) -> list[str]:
    return [
        event.activity_task_scheduled_event_attributes.activity_type.name
        async for event in run.handle.fetch_history_events()
        if event.HasField("activity_task_scheduled_event_attributes")
    ]


async def test_a_question_costs_one_activity(client: Client, sample_activities: Activities) -> None:
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:
        run = await pipeline.start(ASK)
        await eventually(lambda: "approval.requested" in run.event_names())

        names = await activity_names(run)
        assert names[-1] == "signalbox.record_questions"
        assert "signalbox.deliver" not in names
        await run.decide("pick", Pick(number=1))
        assert await run.result() == SampleResult(made=[0, 1], picked=1)


async def test_the_end_of_a_run_delivers_the_decision_that_caused_it(
    client: Client, sample_activities: Activities
) -> None:
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:
        run = await pipeline.start(ASK)
        await eventually(lambda: "approval.requested" in run.event_names(), within_s=60)
        await run.decide("pick", Pick(number=1))
        await run.result()
        await eventually(lambda: "run.completed" in run.event_names(), within_s=60)
        history = await run.handle.fetch_history()

    accepted = [
        event.event_id
        for event in history.events
        if event.HasField("workflow_execution_update_accepted_event_attributes")
    ]
    scheduled = [
        event.event_id
        for event in history.events
        if event.HasField("activity_task_scheduled_event_attributes")
    ]
    assert max(scheduled) < min(accepted)
    await replay_when_idle(SPEC, history)


async def test_a_question_is_decidable_while_the_receiver_is_unavailable(
    client: Client, sample_activities: Activities
) -> None:
    emitter = FakeEmitter()
    emitter.milestones_down = True
    async with pipeline_under_test(
        SPEC, activities=sample_activities, client=client, emitter=emitter
    ) as pipeline:
        run = await pipeline.start(ASK)
        await run.decide("pick", Pick(number=1))
        assert (await run.result()).picked == 1
        assert run.events() == []

        emitter.milestones_down = False
        await eventually(lambda: run.event_names()[-1:] == ["run.completed"], within_s=30)
        assert [event.sequence for event in run.events()] == list(range(1, 10))
        await replay(SPEC, await run.handle.fetch_history())


async def test_a_question_is_recorded_while_another_delivery_waits(
    client: Client, sample_activities: Activities
) -> None:
    emitter = FakeEmitter()
    emitter.milestones_down = True
    async with pipeline_under_test(
        SPEC, activities=sample_activities, client=client, emitter=emitter
    ) as pipeline:
        run = await pipeline.start(SampleInput(items=2, ask=True, hold=True))
        # `run.started` has no activity that could carry it.
        await run.pause()
        await eventually(lambda: emitter.deliveries > 0)
        await run.resume()
        await run.handle.signal("go_on")
        await run.decide("pick", Pick(number=1))

        assert (await run.result()).picked == 1
        names = await activity_names(run)
        assert names.count("signalbox.record_questions") == 1
        assert names.index("signalbox.deliver") < names.index("signalbox.record_questions")


@pytest.mark.parametrize("local", [False, True], ids=["activities", "local activities"])
async def test_runs_under_a_full_cache_answer_queries_and_complete(
    client: Client, sample_activities: Activities, *, local: bool
) -> None:
    """With a cache of one, every query evicts another run, whether or not a local activity is outstanding."""
    async with pipeline_under_test(
        SPEC, activities=sample_activities, client=client, max_cached_workflows=1
    ) as pipeline:
        request = SampleInput(items=3, ask=True, hold=True, local=local)
        runs = [await pipeline.start(request) for _ in range(6)]
        for run in runs:
            await run.snapshot()

        await asyncio.gather(*(run.handle.signal("go_on") for run in runs))
        # A workflow task that is lost with a local activity is repeated after ten seconds.
        await asyncio.gather(*(run.approval("pick", within_s=60) for run in runs))
        await asyncio.gather(*(run.decide("pick", Pick(number=2)) for run in runs))

        assert [(await run.result()).picked for run in runs] == [2] * len(runs)
