"""Pause, resume, cancel with clean-up, continue as new."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError
from temporalio.exceptions import CancelledError

from signalbox_core.errors import InvalidInput
from signalbox_core.events import catalogue
from signalbox_core.testing.pipeline import RunUnderTest, pipeline_under_test
from support.assertions.eventually import eventually
from support.sample.contract import SPEC, Made, Pick, SampleInput, SampleResult

ASK = SampleInput(items=3, ask=True)


async def has_status(run: RunUnderTest, status: str) -> bool:
    return (await run.snapshot()).status == status


async def test_a_paused_run_starts_no_further_step(
    client: Client, sample_activities: list[Callable[..., Any]]
) -> None:
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:
        run = await pipeline.start(SampleInput(hold=True))
        await run.pause()
        await eventually(lambda: has_status(run, "paused"))
        await run.handle.signal("go_on")
        await eventually(lambda: "run.paused" in run.event_names())

        assert "step.started" not in run.event_names()

        await run.resume()
        assert await run.result() == SampleResult(made=[0, 1, 2])
        assert run.event_names()[:4] == ["run.started", "run.paused", "run.resumed", "step.started"]


async def test_a_cancelled_run_cleans_up_and_reports_the_reason(
    client: Client, sample_activities: list[Callable[..., Any]]
) -> None:
    undone: list[int] = []

    @activity.defn(name="sample.undo")
    async def undo(number: int) -> None:
        undone.append(number)

    async with pipeline_under_test(
        SPEC, activities=[*sample_activities[:2], undo], client=client
    ) as pipeline:
        run = await pipeline.start(ASK)
        await run.approval("pick")

        await run.cancel("changed our mind")

        with pytest.raises(WorkflowFailureError) as failed:
            await run.result()
        assert isinstance(failed.value.cause, CancelledError)
        assert (await run.handle.describe()).status is WorkflowExecutionStatus.CANCELED
        assert undone == [1]
        ended = run.events()[-1]
        assert ended.name == "run.cancelled"
        assert msgspec.json.decode(ended.data, type=catalogue.RunCancelled) == catalogue.RunCancelled(
            reason="changed our mind", by="tester"
        )
        snapshot = await run.snapshot()
        assert (snapshot.status, snapshot.approvals[0].status) == ("cancelled", "cancelled")


async def test_a_run_cancelled_in_a_step_does_not_call_the_step_failed(
    client: Client, sample_activities: list[Callable[..., Any]]
) -> None:
    started: list[int] = []

    @activity.defn(name="sample.make")
    async def make_waits(number: int) -> Made:
        started.append(number)
        await activity.wait_for_cancelled()
        raise AssertionError("unreachable")

    async with pipeline_under_test(
        SPEC, activities=[sample_activities[0], make_waits, sample_activities[2]], client=client
    ) as pipeline:
        run = await pipeline.start(SampleInput(items=2))
        await eventually(lambda: len(started) == 2)

        await run.cancel()

        with pytest.raises(WorkflowFailureError):
            await run.result()
        assert run.event_names()[-2:] == ["step.started", "run.cancelled"]
        assert [step.status for step in (await run.snapshot()).steps] == ["completed", "cancelled"]


async def test_a_clean_up_that_fails_does_not_hide_the_cancel(
    client: Client, sample_activities: list[Callable[..., Any]]
) -> None:
    @activity.defn(name="sample.undo")
    async def undo_refuses(number: int) -> None:
        raise InvalidInput("nothing to take back")

    async with pipeline_under_test(
        SPEC, activities=[*sample_activities[:2], undo_refuses], client=client
    ) as pipeline:
        run = await pipeline.start(ASK)
        await run.approval("pick")

        await run.cancel()

        with pytest.raises(WorkflowFailureError):
            await run.result()
        assert run.event_names()[-1] == "run.cancelled"


async def test_a_decision_after_the_cancel_finds_the_run_closed(
    client: Client, sample_activities: list[Callable[..., Any]]
) -> None:
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:
        run = await pipeline.start(ASK)
        asked = await run.approval("pick")
        assert asked.status == "pending"
        await run.cancel()
        with pytest.raises(WorkflowFailureError):
            await run.result()

        with pytest.raises(Exception, match=r"already completed|not found"):
            await run.decide("pick", Pick(number=1))


async def test_a_run_that_continues_as_new_keeps_its_sequence(
    client: Client, sample_activities: list[Callable[..., Any]]
) -> None:
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:
        run = await pipeline.start(SampleInput(items=1, rounds=2))

        assert await run.result() == SampleResult(made=[0])

        sequences = [event.sequence for event in run.events()]
        assert sequences == list(range(1, len(sequences) + 1))
        assert run.event_names().count("run.started") == 1
        assert run.event_names()[-1] == "run.completed"
        starts = [event.data for event in run.events() if event.name == "step.started"]
        attempts = [msgspec.json.decode(data, type=catalogue.StepStarted).attempt for data in starts]
        assert attempts == [1, 1, 2, 2, 3, 3]
