"""A failed run names the step, the cause and the remedy."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from temporalio import activity
from temporalio.client import Client, WorkflowFailureError

from signalbox_core.errors import InvalidInput, RateLimited
from signalbox_core.events import catalogue
from signalbox_core.pipeline.activity import progress
from signalbox_core.temporal.names import MEMO_TENANT
from signalbox_core.testing.pipeline import RunUnderTest, pipeline_under_test
from support.assertions.eventually import eventually
from support.sample.contract import SPEC, Made, SampleInput, SampleResult


def last_failure(run: RunUnderTest) -> catalogue.Failure:
    assert run.event_names()[-1] == "run.failed"
    return msgspec.json.decode(run.events()[-1].data, type=catalogue.RunFailed).error


@activity.defn(name="sample.make")
async def make_refuses(number: int) -> Made:
    raise InvalidInput("number 0 is taken; choose another", field="input.items")


@activity.defn(name="sample.make")
async def make_breaks(number: int) -> Made:
    raise KeyError(number)


@activity.defn(name="sample.make")
async def make_with_another_argument(number: dict[str, int]) -> Made:
    return Made(number=number["number"])


async def test_a_refusing_activity_fails_its_step_and_the_run_at_once(
    client: Client, sample_activities: list[Callable[..., Any]]
) -> None:
    async with pipeline_under_test(
        SPEC, activities=[sample_activities[0], make_refuses], client=client
    ) as pipeline:
        run = await pipeline.start(SampleInput(items=2))

        with pytest.raises(WorkflowFailureError):
            await run.result()

        assert run.event_names()[-2:] == ["step.failed", "run.failed"]
        expected = catalogue.Failure(
            code="invalid_input",
            message="number 0 is taken; choose another",
            field="input.items",
            step="work",
        )
        assert last_failure(run) == expected
        assert (await run.snapshot()).error == expected


async def test_a_bug_in_an_activity_is_retried_a_bounded_number_of_times(
    client: Client, sample_activities: list[Callable[..., Any]]
) -> None:
    async with pipeline_under_test(
        SPEC, activities=[sample_activities[0], make_breaks], client=client
    ) as pipeline:
        run = await pipeline.start(SampleInput(items=1))

        with pytest.raises(WorkflowFailureError):
            await run.result()

        assert last_failure(run) == catalogue.Failure(
            code="unexpected_error", message="KeyError: 0", step="work"
        )


async def test_an_argument_that_does_not_decode_fails_the_step(
    client: Client, sample_activities: list[Callable[..., Any]]
) -> None:
    async with pipeline_under_test(
        SPEC, activities=[sample_activities[0], make_with_another_argument], client=client
    ) as pipeline:
        run = await pipeline.start(SampleInput(items=1))

        with pytest.raises(WorkflowFailureError):
            await run.result()

        assert (last_failure(run).code, last_failure(run).step) == ("invalid_input", "work")


async def test_an_undeclared_step_fails_the_run_and_names_the_declared_ones(
    client: Client, sample_activities: list[Callable[..., Any]]
) -> None:
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:
        run = await pipeline.start(SampleInput(misuse="polish"))

        with pytest.raises(WorkflowFailureError):
            await run.result()

        assert last_failure(run).code == "pipeline_bug"
        assert (
            last_failure(run).message
            == "pipeline sample declares no step 'polish'; its steps are: prepare, work"
        )


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param({"items": "three"}, id="wrong type"),
        pytest.param({"item": 3}, id="unknown field"),
        pytest.param([1], id="no object"),
    ],
)
async def test_input_that_does_not_decode_fails_the_run_instead_of_hanging_it(
    client: Client, sample_activities: list[Callable[..., Any]], bad: object
) -> None:
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:
        handle = await client.start_workflow(
            "sample",
            bad,
            id=f"bad-{pipeline.task_queue}",
            task_queue=pipeline.task_queue,
            memo={MEMO_TENANT: "acme"},
        )

        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()

        assert getattr(failed.value.cause, "type", None) == "invalid_input"


async def test_a_busy_dependency_is_retried_after_the_delay_it_gives(
    client: Client, sample_activities: list[Callable[..., Any]]
) -> None:
    attempts: list[int] = []

    @activity.defn(name="sample.make")
    async def make_is_busy_once(number: int) -> Made:
        attempts.append(activity.info().attempt)
        progress(1, of=2)
        if len(attempts) == 1:
            raise RateLimited("slow down", retry_after_s=0.05)
        return Made(number=number)

    async with pipeline_under_test(
        SPEC, activities=[sample_activities[0], make_is_busy_once], client=client
    ) as pipeline:
        run = await pipeline.start(SampleInput(items=1))

        assert await run.result() == SampleResult(made=[0])
        assert attempts == [1, 2]
        resets = [event for event in pipeline.emitter.progress if event.name == "stream.reset"]
        assert [(event.stepid, event.attempt) for event in resets] == [("work", 2)]


async def test_a_clean_run_after_a_failed_one_is_untouched(
    client: Client, sample_activities: list[Callable[..., Any]]
) -> None:
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:
        failed, good = await pipeline.start(SampleInput(misuse="x")), await pipeline.start(SampleInput())

        await good.result()

        await eventually(lambda: failed.event_names()[-1:] == ["run.failed"])
        assert good.event_names()[-1] == "run.completed"
