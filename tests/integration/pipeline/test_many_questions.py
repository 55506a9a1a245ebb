"""A run with a thousand open questions answers, is replayed and ends."""

import asyncio
import sys
from collections.abc import Sequence
from functools import partial
from typing import Final

import msgspec
import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowFailureError, WorkflowHistory

from signalbox_core.errors import Unavailable
from signalbox_core.events import CloudEvent
from signalbox_core.events.approval_data import ApprovalRequested
from signalbox_core.events.envelope import decode_data
from signalbox_core.pipeline.contract.messages import Decision
from signalbox_core.pipeline.workflow.outbox import FINAL_DELIVERY_TIMEOUT
from signalbox_core.testing.emitter import FakeEmitter
from signalbox_core.testing.pipeline import RunUnderTest, pipeline_under_test
from support.assertions.eventually import eventually
from support.assertions.replays import replay_when_idle
from support.measured_replay import machine_slowness, measured_replay, measured_runner
from support.survey.contract import SPEC, SurveyInput, SurveyResult

ANSWER = msgspec.Raw(b'{"agree":true}')
QUESTIONS = 1_000
SLOTS = 5
"""Temporal accepts ten updates of one run at a time."""
GOAL_S: Final = 1.0
"""CPU time of the longest workflow task: of a real one, and of one that replays the whole history."""


@pytest.mark.timeout(400)
async def test_a_thousand_questions_of_one_run_are_asked_in_order_decided_and_replayed(
    client: Client,
) -> None:
    tasks: list[float] = []
    measured = partial(measured_runner, steps=tasks)
    async with pipeline_under_test(SPEC, activities=[], client=client, wrap_runner=measured) as pipeline:
        run = await pipeline.start(SurveyInput(questions=QUESTIONS))
        await eventually(lambda: len(digests(run)) == QUESTIONS, within_s=300)
        approvals = (await run.snapshot()).approvals
        await replay_when_idle(SPEC, await run.handle.fetch_history())
        slots = asyncio.Semaphore(SLOTS)
        await asyncio.gather(*(agree(run, item.approval_id, item.digest, slots) for item in approvals))
        result = await run.result()
        history = await run.handle.fetch_history()
    slowness = machine_slowness()
    steps = await measured_replay(SPEC, history)
    sys.stdout.write(
        f"{QUESTIONS} open questions: the longest workflow task took {longest_task_s(history):.2f} s, "
        f"at most {max(tasks):.2f} s of it CPU; a "
        f"replay of all takes {sum(steps):.2f} s of CPU, its longest step {max(steps):.2f} s; the machine "
        f"takes {slowness:.1f} × the CPU time of the reference\n"
    )

    assert max(tasks) <= GOAL_S * slowness
    assert sum(steps) <= GOAL_S * slowness
    assert [item.approval_id for item in approvals][:3] == ["page", "page-2", "page-3"]
    assert approvals[-1].approval_id == f"page-{QUESTIONS}"
    assert {item.digest for item in approvals} == set(digests(run))
    assert result == SurveyResult(agreed=QUESTIONS)


class FirstDeliveryOnly(FakeEmitter):
    """A receiver that accepts one delivery, and the others once `is_available` is set."""

    is_available = False
    refused = 0

    async def deliver(self, events: Sequence[CloudEvent]) -> None:
        known = {event.id for event in self.milestones}
        if not known or {event.id for event in events} <= known or self.is_available:
            await super().deliver(events)
            return
        self.refused += 1
        raise Unavailable("the fake receiver is down")


@pytest.mark.timeout(400)
async def test_a_long_run_ends_although_the_delivery_in_flight_does_not(client: Client) -> None:
    emitter = FirstDeliveryOnly()
    async with pipeline_under_test(SPEC, activities=[], client=client, emitter=emitter) as pipeline:
        run = await pipeline.start(SurveyInput(questions=QUESTIONS))
        await eventually(partial(are_asked, run), within_s=300)
        await eventually(lambda: emitter.refused > 0, within_s=300)
        await run.cancel()
        with pytest.raises(WorkflowFailureError):
            await run.result()
        history = await run.handle.fetch_history()
        emitter.is_available = True
        await eventually(lambda: "run.cancelled" in run.event_names(), within_s=300)
        # The rest of the events comes in several deliveries, in any order.
        await eventually(lambda: len(digests(run)) == QUESTIONS, within_s=300)
        await replay_when_idle(SPEC, history)

    assert waits_for_a_delivery(history)


async def are_asked(run: RunUnderTest) -> bool:
    return len((await run.snapshot()).approvals) == QUESTIONS


def waits_for_a_delivery(history: WorkflowHistory) -> bool:
    """Whether the run waited for the delivery in flight before it ended."""
    timeouts = [
        event.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta()
        for event in history.events
        if event.event_type == EventType.EVENT_TYPE_TIMER_STARTED
    ]
    return timeouts.count(FINAL_DELIVERY_TIMEOUT) == 1


def longest_task_s(history: WorkflowHistory) -> float:
    """From the start of a workflow task to its completion, by the server's clock."""
    started: dict[int, float] = {}
    longest = 0.0
    for event in history.events:
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED:
            started[event.event_id] = event.event_time.ToNanoseconds()
        elif event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
            begun = started[event.workflow_task_completed_event_attributes.started_event_id]
            longest = max(longest, event.event_time.ToNanoseconds() - begun)
    return longest / 1e9


def digests(run: RunUnderTest) -> list[str]:
    """Of the questions whose events the receiver has."""
    return [
        decode_data(event, ApprovalRequested).digest
        for event in run.events()
        if event.name == "approval.requested"
    ]


async def agree(run: RunUnderTest, approval_id: str, digest: str, slots: asyncio.Semaphore) -> None:
    decision = Decision(
        approval_id=approval_id,
        decision_id=f"decide-{approval_id}",
        answer=ANSWER,
        decided_by="lan",
        digest=digest,
    )
    async with slots:
        await run.send(decision)
