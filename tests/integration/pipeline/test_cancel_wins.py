"""A cancel and a decision that race: after the cancel nothing is accepted and nothing more happens.

Python 3.11's `asyncio.wait_for` drops a cancellation that arrives with the result it waits for; these tests
run on 3.11 and 3.12.
"""

import asyncio
import contextlib
import uuid
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError, WorkflowUpdateFailedError

from signalbox_core.events.catalogue import RunCancelled
from signalbox_core.pipeline.contract import messages
from signalbox_core.pipeline.contract.messages import Decision
from signalbox_core.subjects import Subject
from signalbox_core.testing.pipeline import RunUnderTest, pipeline_under_test, replay
from support.sample.contract import SPEC, Pick, SampleInput

ASK = SampleInput(items=3, ask=True)
Activities = list[Callable[..., Any]]


def decision() -> Decision:
    return Decision(
        approval_id="pick",
        decision_id=uuid.uuid4().hex,
        answer=msgspec.Raw(msgspec.json.encode(Pick(number=1))),
        decided_by="tester",
        decider=Subject(subject="key:tester", kind="service"),
    )


async def decide_by_signal(run: RunUnderTest) -> None:
    await run.handle.signal(messages.SIGNAL_DECIDE, decision())


async def ended_as(run: RunUnderTest) -> WorkflowExecutionStatus | None:
    with contextlib.suppress(WorkflowFailureError):
        await run.result()
    return (await run.handle.describe()).status


async def test_a_decision_after_a_cancel_has_no_effect_when_both_waited_for_a_worker(
    client: Client, sample_activities: Activities
) -> None:
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:
        runs = [await pipeline.start(ASK) for _ in range(40)]
        for run in runs:
            await run.approval("pick")
        async with pipeline.without_worker():
            for run in runs:
                await run.cancel("changed our mind")
                await decide_by_signal(run)

        assert {await ended_as(run) for run in runs} == {WorkflowExecutionStatus.CANCELED}
        for run in runs:
            assert run.event_names()[-1] == "run.cancelled"
            assert "approval.decided" not in run.event_names()
            assert (await run.snapshot()).approvals[0].status == "cancelled"


async def test_a_cancel_that_arrives_with_the_decision_before_it_is_not_lost(
    client: Client, sample_activities: Activities
) -> None:
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:
        runs = [await pipeline.start(ASK) for _ in range(40)]
        for run in runs:
            await run.approval("pick")
        async with pipeline.without_worker():
            for run in runs:
                await decide_by_signal(run)
                await run.cancel("changed our mind")

        assert {await ended_as(run) for run in runs} == {WorkflowExecutionStatus.CANCELED}
        for run in runs:
            assert run.event_names()[-2:] == ["approval.decided", "run.cancelled"]


async def test_of_many_races_with_a_worker_none_takes_effect_after_the_cancel(
    client: Client, sample_activities: Activities
) -> None:
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:

        async def race(number: int) -> tuple[bool, list[str]]:
            run = await pipeline.start(ASK)
            await run.approval("pick")
            if number % 2:
                await run.cancel()
                with_decision = asyncio.create_task(decide_by_signal(run))
            else:
                with_decision = asyncio.create_task(decide_by_signal(run))
                await run.cancel()
            await asyncio.gather(with_decision, return_exceptions=True)
            status = await ended_as(run)
            return status is WorkflowExecutionStatus.COMPLETED and number % 2 == 1, run.event_names()

        raced = [outcome for _ in range(12) for outcome in await asyncio.gather(*map(race, range(10)))]

        assert len(raced) == 120
        assert not [names for effect, names in raced if effect]
        for _, names in raced:
            assert names[-1] in ("run.cancelled", "run.completed")
            assert names.count("run.cancelled") + names.count("run.completed") == 1


async def test_between_the_announcement_and_the_cancel_a_decision_is_refused(
    client: Client, sample_activities: Activities
) -> None:
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:
        run = await pipeline.start(ASK)
        await run.approval("pick")
        await run.handle.signal(messages.SIGNAL_CANCEL_REASON, messages.CancelReason(by="tester"))

        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await run.send(decision())

        assert "is being cancelled" in str(refused.value.cause)
        await run.handle.cancel()
        assert await ended_as(run) is WorkflowExecutionStatus.CANCELED


async def test_an_announced_cancel_that_never_arrives_lapses(sample_activities: Activities) -> None:
    async with pipeline_under_test(SPEC, activities=sample_activities, skip_time=True) as pipeline:
        run = await pipeline.start(SampleInput(items=1, hold=True))
        await run.handle.signal(messages.SIGNAL_CANCEL_REASON, messages.CancelReason(by="tester"))
        await run.handle.signal("go_on")

        await run.result()

        assert run.event_names()[-1] == "run.completed"


async def test_a_cancel_that_arrives_as_the_run_continues_as_new_is_not_lost(
    client: Client, sample_activities: Activities
) -> None:
    """The server delivers it to this execution only."""
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:
        run = await pipeline.start(SampleInput(items=1, ask=True, give_up=True, rounds=1))
        await run.approval("pick")
        async with pipeline.without_worker():
            await run.handle.signal("go_on")
            await run.cancel("changed our mind")

        assert await asyncio.wait_for(ended_as(run), 60) == WorkflowExecutionStatus.CANCELED
        ended = run.events()[-1]
        assert ended.name == "run.cancelled"
        assert msgspec.json.decode(ended.data, type=RunCancelled).reason == "changed our mind"
        await replay(SPEC, await run.handle.fetch_history())
