"""Complete runs of ai_task with the real activities: streaming, retries, budget, repair, offline provider."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from itertools import pairwise

import msgspec
import pytest
from temporalio.client import Client, WorkflowFailureError

from signalbox_core.events import catalogue
from signalbox_core.events.catalogue import Failure
from signalbox_core.pipeline.activity.loader import load_activities
from signalbox_core.pipeline.deps import ActivityDeps
from signalbox_core.testing.fetch import FakeFetcher
from signalbox_core.testing.objects import FakeObjectStore
from signalbox_core.testing.pipeline import PipelineUnderTest, RunUnderTest, pipeline_under_test
from signalbox_pipelines.ai_task.contract import SPEC, AiTaskInput, AiTaskResult, Label
from support.servers.model_api import ModelApi

TEXT = """Invoice number: SX-2026-118. Date: 14 March 2026. Total: 1,234.50 EUR.
The goods were sent to Hanoi by sea. Please pay within 30 days. Questions go to lan@example.com."""
INVOICE = {
    "type": "object",
    "properties": {
        "invoice_number": {"type": "string"},
        "date": {"type": "string", "format": "date"},
        "total": {"type": "number"},
        "contact": {"type": "string", "format": "email"},
    },
    "required": ["invoice_number", "date", "total"],
}
SUMMARISE = AiTaskInput(task="summarise", text=TEXT, sentences=2)
EXTRACT = AiTaskInput(task="extract", text=TEXT, output_schema=INVOICE)


@asynccontextmanager
async def pipeline(
    client: Client, environ: Mapping[str, str], objects: FakeObjectStore | None = None
) -> AsyncIterator[PipelineUnderTest]:
    deps = ActivityDeps(objects=objects or FakeObjectStore(), fetcher=FakeFetcher({}), environ=environ)
    async with pipeline_under_test(SPEC, activities=load_activities(SPEC, deps), client=client) as started:
        yield started


async def failure_of(run: RunUnderTest) -> Failure:
    with pytest.raises(WorkflowFailureError):
        await run.result()
    error = (await run.snapshot()).error
    assert error is not None
    return error


def outcomes(result: AiTaskResult) -> list[tuple[str, str]]:
    return [(attempt.kind, attempt.outcome) for attempt in result.attempts]


async def test_a_model_summarises_and_the_partial_text_is_published(
    client: Client, model_api: ModelApi
) -> None:
    prices = {"INPUT_PRICE": "2", "OUTPUT_PRICE": "10"}
    async with pipeline(client, model_api.environ("slow", **prices)) as under_test:
        run = await under_test.start(SUMMARISE)
        result = await run.result()

        texts = [update.text for update in progress_of(under_test) if update.text]
        assert result.text == texts[-1]
        assert len(texts) > 3
        assert all(later.startswith(earlier) for earlier, later in pairwise(texts))
        assert (result.provider, result.label, result.usage.currency) == ("model", "language model", "USD")
        assert (
            result.usage.cost
            == Decimal(2 * result.usage.input_tokens + 10 * result.usage.output_tokens) / 1_000_000
        )
        assert not result.usage.estimated
        assert outcomes(result) == [("call", "answered")]
        assert model_api.requests()[-1]["idempotency_key"] == f"{run.handle.id}:call-model"


async def test_a_rate_limited_call_is_retried_after_the_requested_delay(
    client: Client, model_api: ModelApi
) -> None:
    async with pipeline(client, model_api.environ("rate_limit:1:1")) as under_test:
        result = await (await under_test.start(SUMMARISE)).result()

        assert outcomes(result) == [("call", "rate_limited"), ("call", "answered")]
        assert [attempt.waited_s for attempt in result.attempts] == [0.0, 1.0]
        assert result.attempts[0].input_tokens == 0


async def test_an_interrupted_answer_is_restarted_and_the_stream_reset(
    client: Client, model_api: ModelApi
) -> None:
    async with pipeline(client, model_api.environ("cut:1")) as under_test:
        run = await under_test.start(SUMMARISE)
        result = await run.result()

        assert outcomes(result) == [("call", "model_cut"), ("call", "answered")]
        assert result.attempts[0].output_tokens > 0
        assert result.usage.estimated
        resets = [
            msgspec.json.decode(event.data, type=catalogue.StreamReset)
            for event in under_test.emitter.progress
            if event.name == "stream.reset"
        ]
        assert resets == [catalogue.StreamReset(step="call_model", attempt=2)]
        assert request_keys(model_api, run) == [f"{run.handle.id}:call-model"] * 2


async def test_an_answer_that_violates_the_schema_is_repaired(client: Client, model_api: ModelApi) -> None:
    async with pipeline(client, model_api.environ("bad_first")) as under_test:
        run = await under_test.start(EXTRACT)
        result = await run.result()

        assert (result.repaired, outcomes(result)) == (True, [("call", "answered"), ("repair", "answered")])
        calls = ["call-model", "repair-model"]
        assert request_keys(model_api, run) == [f"{run.handle.id}:{call}" for call in calls]
        assert [(step.name, step.attempt) for step in (await run.snapshot()).steps][1:] == [
            ("call_model", 2),
            ("process_result", 2),
        ]


async def test_an_answer_is_repaired_only_once(client: Client, model_api: ModelApi) -> None:
    async with pipeline(client, model_api.environ("bad_json")) as under_test:
        run = await under_test.start(EXTRACT)
        error = await failure_of(run)

        assert (error.code, "even after one repair" in error.message) == ("schema_mismatch", True)
        assert len(request_keys(model_api, run)) == 2


async def test_a_model_extracts_with_the_given_schema(client: Client, model_api: ModelApi) -> None:
    objects = FakeObjectStore()
    async with pipeline(client, model_api.environ(), objects) as under_test:
        run = await under_test.start(EXTRACT)
        result = await run.result()

        assert json.loads(bytes(result.data)) == json.loads(result.text)
        (artifact,) = (await run.snapshot()).artifacts
        assert (artifact.name, artifact.media_type) == ("answer", "application/json")
        assert (await objects.get(artifact.key)).decode() == result.text


@pytest.mark.parametrize(
    ("fault", "code"), [("unauthorized", "model_refused"), ("content_filter", "content_filtered")]
)
async def test_a_permanent_failure_is_not_retried(
    client: Client, model_api: ModelApi, fault: str, code: str
) -> None:
    async with pipeline(client, model_api.environ(fault)) as under_test:
        run = await under_test.start(SUMMARISE)

        assert ((await failure_of(run)).step, (await failure_of(run)).code) == ("call_model", code)
        assert len(request_keys(model_api, run)) == 1


async def test_attempts_are_limited_and_the_last_failure_is_reported(
    client: Client, model_api: ModelApi
) -> None:
    async with pipeline(client, model_api.environ("unavailable")) as under_test:
        run = await under_test.start(AiTaskInput(task="summarise", text=TEXT, max_attempts=2))

        error = await failure_of(run)
        assert (error.code, "attempt 2 of 2 failed" in error.message) == ("model_unavailable", True)
        assert len(request_keys(model_api, run)) == 2


async def test_no_attempt_starts_beyond_the_budget(client: Client, model_api: ModelApi) -> None:
    async with pipeline(client, model_api.environ("cut")) as under_test:
        run = await under_test.start(
            AiTaskInput(task="summarise", text=TEXT, max_output_tokens=100, max_tokens=300)
        )

        error = await failure_of(run)
        assert (error.code, error.field) == ("budget_used_up", "max_tokens")
        assert len(request_keys(model_api, run)) == 1


async def test_a_delay_beyond_the_deadline_ends_the_run_at_once(client: Client, model_api: ModelApi) -> None:
    async with pipeline(client, model_api.environ("rate_limit:0:600")) as under_test:
        error = await failure_of(await under_test.start(SUMMARISE))

        assert (error.code, error.field, "in 600 s" in error.message) == (
            "deadline_passed",
            "deadline_s",
            True,
        )


async def test_the_deadline_ends_a_running_attempt(client: Client, model_api: ModelApi) -> None:
    async with pipeline(client, model_api.environ("stall")) as under_test:
        error = await failure_of(
            await under_test.start(AiTaskInput(task="summarise", text=TEXT, deadline_s=10))
        )

        assert (error.code, error.step) == ("deadline_passed", "call_model")


async def test_a_cancelled_run_stops_the_call(client: Client, model_api: ModelApi) -> None:
    async with pipeline(client, model_api.environ("stall")) as under_test:
        run = await under_test.start(SUMMARISE)
        await run.cancel("enough")

        with pytest.raises(WorkflowFailureError):
            await run.result()
        assert run.event_names()[-1] == "run.cancelled"


@pytest.mark.parametrize(
    "task",
    [
        SUMMARISE,
        EXTRACT,
        AiTaskInput(
            task="classify",
            text=TEXT,
            labels=(Label(name="invoice", cues=("total", "pay")), Label(name="letter")),
        ),
    ],
    ids=["summarise", "extract", "classify"],
)
async def test_without_a_model_the_offline_provider_answers_and_is_labelled(
    client: Client, task: AiTaskInput
) -> None:
    async with pipeline(client, {}) as under_test:
        run = await under_test.start(task)
        result = await run.result()

        assert (result.provider, result.label) == ("local-extractive", "not a language model")
        assert result.text
        assert (result.usage.input_tokens, result.usage.cost) == (0, 0)
        steps = (await run.snapshot()).steps
        assert "not a language model" in (steps[0].message or "")
        assert "not a language model" in (steps[1].message or "")


async def test_the_offline_provider_extracts_fields(client: Client) -> None:
    async with pipeline(client, {}) as under_test:
        result = await (await under_test.start(EXTRACT)).result()

        expected = {
            "invoice_number": "SX-2026-118",
            "date": "2026-03-14",
            "total": 1234.5,
            "contact": "lan@example.com",
        }
        assert json.loads(bytes(result.data)) == expected


async def test_without_a_model_generate_is_refused(client: Client) -> None:
    async with pipeline(client, {}) as under_test:
        error = await failure_of(
            await under_test.start(AiTaskInput(task="generate", instruction="Write a poem"))
        )

        assert (error.step, error.code, error.field) == ("validate_input", "provider_refuses", "provider")
        assert "SIGNALBOX_WORKER_MODEL_URL" in error.message


def request_keys(model_api: ModelApi, run: RunUnderTest) -> list[str]:
    """Return the idempotency keys of the run's requests, in order."""
    keys = [str(request["idempotency_key"]) for request in model_api.requests()]
    return [key for key in keys if key.startswith(run.handle.id)]


def progress_of(under_test: PipelineUnderTest) -> list[catalogue.StepProgress]:
    return [
        msgspec.json.decode(event.data, type=catalogue.StepProgress)
        for event in under_test.emitter.progress
        if event.name == "step.progress"
    ]
