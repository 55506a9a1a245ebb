"""What a pipeline's author sees at a limit: the code and the remedy, and no useless retries."""

import asyncio
from collections.abc import Callable

import msgspec
import pytest
from temporalio import activity
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError

from signalbox_core.errors import RateLimited, Unavailable
from signalbox_core.events.catalogue import Failure
from signalbox_core.pipeline.activity.progress import emit_on_complete
from signalbox_core.pipeline.workflow.journal import MAX_DATA_BYTES
from signalbox_core.testing.pipeline import RunUnderTest, pipeline_under_test
from support.limits.activities import fetch
from support.limits.contract import SPEC, LimitsInput, LimitsResult


async def failure_of(run: RunUnderTest) -> Failure:
    with pytest.raises(WorkflowFailureError):
        await run.result()
    error = (await run.snapshot()).error
    assert error is not None
    return error


async def test_a_timeout_in_workflow_code_fails_the_step_and_the_run_as_timed_out(client: Client) -> None:
    @activity.defn(name="limits.fetch")
    async def hang(_request: LimitsInput) -> str:
        await asyncio.Event().wait()
        return ""

    async with pipeline_under_test(SPEC, activities=[hang], client=client) as pipeline:
        run = await pipeline.start(LimitsInput(timeout_s=0.2))

        error = await failure_of(run)

        assert (error.code, error.step) == ("timed_out", "fetch")
        assert "limits.fetch was cancelled by the workflow" in error.message
        assert "raise that timeout" in error.message
        assert run.event_names()[-2:] == ["step.failed", "run.failed"]


async def test_a_result_that_is_too_large_is_refused_at_once_with_the_remedy(client: Client) -> None:
    attempts: list[int] = []

    @activity.defn(name="limits.fetch")
    async def counted(request: LimitsInput) -> str:
        attempts.append(activity.info().attempt)
        return await fetch(request)

    async with pipeline_under_test(SPEC, activities=[counted], client=client) as pipeline:
        error = await failure_of(await pipeline.start(LimitsInput(size_bytes=10_000_000)))

    assert attempts == [1]
    assert error.code == "result_too_large"
    assert "limits.fetch has 10.0 MB" in error.message
    assert "store it with deps.objects and return its ObjectRef" in error.message


async def test_a_result_that_is_refused_announces_no_event(client: Client) -> None:
    @activity.defn(name="limits.fetch")
    @emit_on_complete("limits.fetched", lambda request, _result: request)
    async def announced(request: LimitsInput) -> str:
        return await fetch(request)

    async with pipeline_under_test(SPEC, activities=[announced], client=client) as pipeline:
        refused = await failure_of(await pipeline.start(LimitsInput(size_bytes=10_000_000)))
        assert refused.code == "result_too_large"
        assert pipeline.emitter.domain == []

        await (await pipeline.start(LimitsInput())).result()
        assert [event.name for event in pipeline.emitter.domain] == ["limits.fetched"]


async def test_an_attempt_that_is_repeated_with_another_result_announces_that_too(client: Client) -> None:
    """Under the id of the first one the receiver would refuse it, however often the activity is tried."""

    def fail_once(_request: LimitsInput, _result: str) -> LimitsResult:
        if activity.info().attempt == 1:
            raise Unavailable("the worker has lost its connection")
        return LimitsResult(chars=0)

    @activity.defn(name="limits.fetch")
    @emit_on_complete("limits.ended", fail_once)
    @emit_on_complete("limits.fetched", lambda _request, _result: LimitsResult(chars=activity.info().attempt))
    async def announced(request: LimitsInput) -> str:
        return await fetch(request)

    async with pipeline_under_test(SPEC, activities=[announced], client=client) as pipeline:
        await (await pipeline.start(LimitsInput())).result()

        sent = [(event.name, event.data) for event in pipeline.emitter.domain]
    assert [name for name, _ in sent] == ["limits.fetched", "limits.fetched", "limits.ended"]
    assert [msgspec.json.decode(data, type=LimitsResult).chars for _, data in sent] == [1, 2, 0]


async def test_an_error_of_plain_temporal_code_fails_the_run_whatever_its_details(client: Client) -> None:
    @activity.defn(name="limits.fetch")
    async def sold_out(_request: LimitsInput) -> str:
        details = {"code": "no_stock", "message": {"en": "sold out"}, "field": 7}
        raise ApplicationError("sold out", details, non_retryable=True)

    async with pipeline_under_test(SPEC, activities=[sold_out], client=client) as pipeline:
        run = await pipeline.start(LimitsInput())
        error = await failure_of(run)

        assert (error.code, error.message, error.field) == ("no_stock", "sold out", None)
        assert run.event_names()[-2:] == ["step.failed", "run.failed"]


def limited(calls: list[int], times: int) -> Callable[..., object]:
    @activity.defn(name="limits.fetch")
    async def fetch_when_allowed(_request: LimitsInput) -> str:
        calls.append(activity.info().attempt)
        if len(calls) <= times:
            raise RateLimited("slow down", retry_after_s=0.05)
        return "x"

    return fetch_when_allowed


async def test_a_rate_limit_that_outlasts_the_attempts_is_waited_for(client: Client) -> None:
    calls: list[int] = []
    async with pipeline_under_test(SPEC, activities=[limited(calls, times=5)], client=client) as pipeline:
        run = await pipeline.start(LimitsInput())

        assert await run.result() == LimitsResult(chars=1)

    assert calls == [1, 2, 1, 2, 1, 2]


async def test_a_rate_limit_fails_the_step_after_the_longest_wait(client: Client) -> None:
    calls: list[int] = []
    async with pipeline_under_test(SPEC, activities=[limited(calls, times=99)], client=client) as pipeline:
        error = await failure_of(await pipeline.start(LimitsInput(rate_limit_wait_s=0.12)))

    assert error.code == "rate_limited"
    assert calls == [1, 2, 1, 2, 1, 2]


async def test_a_step_may_have_a_title_and_a_number_of_its_own(client: Client) -> None:
    async with pipeline_under_test(SPEC, activities=[fetch], client=client) as pipeline:
        run = await pipeline.start(LimitsInput(rounds=3))
        await run.result()
        steps = (await run.snapshot()).steps

    assert [(step.name, step.title, step.status) for step in steps] == [
        ("fetch", "Fetch part 1 of 3", "completed"),
        ("end", "End", "completed"),
        ("fetch-2", "Fetch part 2 of 3", "completed"),
        ("fetch-3", "Fetch part 3 of 3", "completed"),
    ]


@pytest.mark.parametrize("spare_bytes", [-1, 0, 1, 70])
async def test_a_result_as_large_as_an_event_ends_the_run_with_an_event(
    client: Client, spare_bytes: int
) -> None:
    around = len(msgspec.json.encode(LimitsResult(chars=100_000)))
    size = MAX_DATA_BYTES - around - spare_bytes
    async with pipeline_under_test(SPEC, activities=[fetch], client=client) as pipeline:
        run = await pipeline.start(LimitsInput(size_bytes=size, returns_text=True))

        assert len((await run.result()).text) == size
        assert run.event_names()[-1] == "run.completed"
