"""A workflow task that Temporal takes for a deadlock is repeated, and its run goes on."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any, Final

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from signalbox_core.events import CloudEvent
from signalbox_core.testing.emitter import FakeEmitter
from signalbox_core.testing.pipeline import RunUnderTest, pipeline_under_test
from support.assertions.eventually import eventually
from support.assertions.replays import replay_when_idle
from support.sample.contract import SPEC, Pick, SampleInput, SampleResult

WITHIN_S: Final = 120
EVENTS: Final = [
    "run.started",
    "step.started",
    "step.completed",
    "step.started",
    "step.completed",
    "sample.made",
    "approval.requested",
    "approval.decided",
    "run.completed",
]


class BlockingEmitter(FakeEmitter):
    """Blocks the thread of a workflow once, when a certain step of a certain run ends."""

    def __init__(self, step: str) -> None:
        super().__init__()
        self.run_id = ""
        self.is_blocked = threading.Event()
        self.may_go = threading.Event()
        self._step = step

    def offer(self, event: CloudEvent, *, item: bool = False) -> None:
        is_end = event.name == "step.completed" and event.stepid == self._step
        if is_end and event.runid == self.run_id and not self.is_blocked.is_set():
            self.is_blocked.set()
            self.may_go.wait(WITHIN_S)
        super().offer(event, item=item)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("step", ["prepare", "work"])
async def test_a_run_whose_workflow_task_was_interrupted_goes_on(
    client: Client, sample_activities: list[Callable[..., Any]], step: str
) -> None:
    emitter = BlockingEmitter(step)
    async with pipeline_under_test(
        SPEC, activities=sample_activities, client=client, emitter=emitter
    ) as pipeline:
        others = [await pipeline.start(SampleInput(items=2, ask=True)) for _ in range(3)]
        run = await pipeline.start(SampleInput(items=2, ask=True, hold=True))
        emitter.run_id = run.run_id
        await run.handle.signal("go_on")
        await eventually(emitter.is_blocked.is_set, within_s=WITHIN_S)
        await eventually(lambda: has_failed_task(run), within_s=WITHIN_S)
        emitter.may_go.set()

        for each in (run, *others):
            await each.approval("pick", within_s=WITHIN_S)
            await each.decide("pick", Pick(number=1))
        results = await asyncio.gather(*(each.result() for each in (run, *others)))
        for each in (run, *others):
            await eventually(lambda each=each: each.event_names()[-1:] == EVENTS[-1:], within_s=WITHIN_S)

    assert results == [SampleResult(made=[0, 1], picked=1)] * 4
    for each in (run, *others):
        assert each.event_names() == EVENTS
        assert [event.sequence for event in each.events()] == list(range(1, len(EVENTS) + 1))
        await replay_when_idle(SPEC, await each.handle.fetch_history())


async def has_failed_task(run: RunUnderTest) -> bool:
    failed = EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
    return any([event.event_type == failed async for event in run.handle.fetch_history_events()])
