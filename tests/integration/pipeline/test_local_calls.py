"""`QUICK` calls run inside the workflow task, and the worker sends heartbeats for the other calls."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from temporalio import activity
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from signalbox_core.errors import Unavailable
from signalbox_core.pipeline.options import QUICK, CallOptions
from signalbox_core.testing.pipeline import RunUnderTest, pipeline_under_test
from support.assertions.eventually import eventually
from support.sample.contract import SPEC, Made, SampleInput, SampleResult

Activities = list[Callable[..., Any]]


async def event_types(run: RunUnderTest) -> list[EventType.ValueType]:
    return [event.event_type async for event in run.handle.fetch_history_events()]


async def test_a_run_of_quick_calls_is_one_workflow_task(
    client: Client, sample_activities: Activities
) -> None:
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:
        run = await pipeline.start(SampleInput(items=5, local=True))

        assert await run.result() == SampleResult(made=[0, 1, 2, 3, 4])

        types = await event_types(run)
        assert types.count(EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED) == 0
        assert types.count(EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED) == 1
        assert run.event_names() == [
            "run.started",
            "step.started",
            "step.completed",
            "step.started",
            "step.completed",
            "sample.made",
            "run.completed",
        ]
        # The activities' own domain events, one per item.
        assert len(pipeline.emitter.domain) == 5


async def test_a_quick_call_that_fails_is_retried(client: Client, sample_activities: Activities) -> None:
    attempts: list[int] = []

    @activity.defn(name="sample.prepare")
    async def prepare_on_third_attempt(request: SampleInput) -> list[int]:
        attempts.append(activity.info().attempt)
        if len(attempts) < 3:
            raise Unavailable("not yet")
        return [7]

    async with pipeline_under_test(
        SPEC, activities=[prepare_on_third_attempt, *sample_activities[1:]], client=client
    ) as pipeline:
        run = await pipeline.start(SampleInput(local=True))

        assert await run.result() == SampleResult(made=[7])
        assert attempts == [1, 2, 3]


async def test_a_call_without_heartbeat_is_kept_alive_by_the_worker(
    client: Client, sample_activities: Activities
) -> None:
    go_on = asyncio.Event()

    @activity.defn(name="sample.make")
    async def make_slowly(number: int) -> Made:
        activity.heartbeat("page 3")
        await go_on.wait()
        return Made(number=number)

    async with pipeline_under_test(
        SPEC, activities=[sample_activities[0], make_slowly, sample_activities[2]], client=client
    ) as pipeline:
        run = await pipeline.start(SampleInput(items=1))
        first = await eventually(lambda: heartbeat_time(run))

        # The worker repeats the activity's own heartbeat with the same details.
        await eventually(lambda: heartbeat_after(run, first))
        pending = (await run.handle.describe()).raw_description.pending_activities[0]
        details = await pipeline.client.data_converter.decode(pending.heartbeat_details.payloads)
        go_on.set()

        assert details == ["page 3"]
        assert pending.attempt == 1
        assert await run.result() == SampleResult(made=[0])


async def heartbeat_time(run: RunUnderTest) -> int:
    pending = (await run.handle.describe()).raw_description.pending_activities
    return pending[0].last_heartbeat_time.ToNanoseconds() if pending else 0


async def heartbeat_after(run: RunUnderTest, moment: int) -> bool:
    return await heartbeat_time(run) > moment


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        pytest.param({"timeout": QUICK.timeout * 2}, "timeout of a local call", id="too long"),
        pytest.param({"heartbeat": QUICK.timeout}, "neither heartbeat nor task_queue", id="heartbeat"),
        pytest.param({"task_queue": "other"}, "neither heartbeat nor task_queue", id="other queue"),
    ],
)
def test_local_options_that_cannot_hold_are_refused(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        CallOptions(**({"timeout": QUICK.timeout, "local": True} | options))
