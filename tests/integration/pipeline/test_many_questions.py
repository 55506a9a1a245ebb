"""A run with a thousand open questions answers, is replayed and ends."""

import asyncio
import sys

import msgspec
import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHistory

from signalbox_core.events.approval_data import ApprovalRequested
from signalbox_core.events.envelope import decode_data
from signalbox_core.pipeline.contract.messages import Decision
from signalbox_core.testing.pipeline import RunUnderTest, pipeline_under_test, replay
from support.assertions.eventually import eventually
from support.survey.contract import SPEC, SurveyInput, SurveyResult

ANSWER = msgspec.Raw(b'{"agree":true}')
QUESTIONS = 1_000
SLOTS = 5
"""Temporal accepts ten updates of one run at a time."""


@pytest.mark.timeout(400)
async def test_a_thousand_questions_of_one_run_are_asked_in_order_decided_and_replayed(
    client: Client,
) -> None:
    async with pipeline_under_test(SPEC, activities=[], client=client) as pipeline:
        run = await pipeline.start(SurveyInput(questions=QUESTIONS))
        await eventually(lambda: len(digests(run)) == QUESTIONS, within_s=300)
        approvals = (await run.snapshot()).approvals
        await replay(SPEC, await run.handle.fetch_history())
        slots = asyncio.Semaphore(SLOTS)
        await asyncio.gather(*(agree(run, item.approval_id, item.digest, slots) for item in approvals))
        result = await run.result()
        history = await run.handle.fetch_history()
        await replay(SPEC, history)
    sys.stdout.write(
        f"longest workflow task of {QUESTIONS} open questions: {longest_task_s(history):.2f} s\n"
    )

    assert [item.approval_id for item in approvals][:3] == ["page", "page-2", "page-3"]
    assert approvals[-1].approval_id == f"page-{QUESTIONS}"
    assert {item.digest for item in approvals} == set(digests(run))
    assert result == SurveyResult(agreed=QUESTIONS)


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
