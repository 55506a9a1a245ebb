"""A question that nobody waits for any more is withdrawn: no ghost stays open."""

import uuid
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowUpdateFailedError

from signalbox_core.pipeline.contract.messages import Decision
from signalbox_core.subjects import Subject
from signalbox_core.testing.pipeline import pipeline_under_test, replay
from support.assertions.continued import continued
from support.sample.contract import SPEC, Pick, SampleInput

Activities = list[Callable[..., Any]]


def decision(approval_id: str) -> Decision:
    return Decision(
        approval_id=approval_id,
        decision_id=uuid.uuid4().hex,
        answer=msgspec.Raw(msgspec.json.encode(Pick(number=1))),
        decided_by="lan",
        decider=Subject(subject="key:tester", kind="service"),
    )


async def test_a_cancelled_ask_withdraws_its_question(client: Client, sample_activities: Activities) -> None:
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:
        run = await pipeline.start(SampleInput(give_up=True, ask=True))
        await run.approval("pick")
        await run.handle.signal("go_on")
        await run.approval("pick-2")

        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await run.send(decision("pick"))
        await run.decide("pick-2", Pick(number=2))

        assert (await run.result()).picked == 2
        cause: Any = refused.value.cause
        assert cause.type == "withdrawn"
        assert [item.status for item in (await run.snapshot()).approvals] == ["withdrawn", "decided"]
        assert run.event_names().count("approval.withdrawn") == 1
        await replay(SPEC, await run.handle.fetch_history())


async def test_continue_as_new_withdraws_open_questions(
    client: Client, sample_activities: Activities
) -> None:
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:
        run = await pipeline.start(SampleInput(give_up=True, ask=True, rounds=1))
        await run.approval("pick")
        first = await run.handle.describe()
        await run.handle.signal("go_on")
        await run.approval("pick-2")
        await run.decide("pick-2", Pick(number=2))

        assert (await run.result()).picked == 2
        assert [item.status for item in (await run.snapshot()).approvals] == ["withdrawn", "decided"]
        names = run.event_names()
        assert names.count("approval.withdrawn") == 1
        assert [event.sequence for event in run.events()] == list(range(1, len(names) + 1))
        for execution in (first.run_id, None):
            handle = client.get_workflow_handle(run.handle.id, run_id=execution)
            await replay(SPEC, await handle.fetch_history())


async def test_a_decision_for_a_later_question_survives_continue_as_new(
    client: Client, sample_activities: Activities
) -> None:
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:
        run = await pipeline.start(SampleInput(ask=True, hold=True, rounds=1))
        await run.send(decision("pick"))
        await run.handle.signal("go_on")
        await continued(run)
        await run.handle.signal("go_on")

        assert (await run.result()).picked == 1


async def test_a_cancelled_run_cancels_its_question_and_withdraws_none(
    client: Client, sample_activities: Activities
) -> None:
    async with pipeline_under_test(
        SPEC, activities=sample_activities, client=client, max_cached_workflows=1
    ) as pipeline:
        runs = [await pipeline.start(SampleInput(ask=True)) for _ in range(3)]
        for run in runs:
            await run.approval("pick")
        for run in runs:
            await run.cancel()
        for run in runs:
            with pytest.raises(WorkflowFailureError):
                await run.result()

            assert (await run.snapshot()).approvals[0].status == "cancelled"
            assert "approval.withdrawn" not in run.event_names()
            await replay(SPEC, await run.handle.fetch_history())
