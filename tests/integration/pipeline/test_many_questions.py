"""A run with a thousand open questions answers, is replayed and ends."""

import asyncio

import msgspec
import pytest
from temporalio.client import Client

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
        await replay(SPEC, await run.handle.fetch_history())

    assert [item.approval_id for item in approvals][:3] == ["page", "page-2", "page-3"]
    assert approvals[-1].approval_id == f"page-{QUESTIONS}"
    assert {item.digest for item in approvals} == set(digests(run))
    assert result == SurveyResult(agreed=QUESTIONS)


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
