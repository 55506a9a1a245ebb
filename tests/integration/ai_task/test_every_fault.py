"""Every fault of the simulated model server ends a run as the table in docs/ai_task.md documents."""

from collections.abc import Mapping

import pytest
from temporalio.client import Client, WorkflowFailureError

from signalbox_core.pipeline.activity.loader import load_activities
from signalbox_core.pipeline.deps import ActivityDeps
from signalbox_core.testing.fetch import FakeFetcher
from signalbox_core.testing.objects import FakeObjectStore
from signalbox_core.testing.pipeline import pipeline_under_test
from signalbox_devstack.emulators.model_api.faults import FAULT_NAMES
from signalbox_pipelines.ai_task.contract import SPEC, AiTaskInput
from support.assertions.doc_tables import table_under
from support.servers.model_api import ModelApi

TEXT = "Invoice number: SX-2026-118. Total: 1,234.50 EUR. The goods were sent to Hanoi by sea."
SCHEMA = {"type": "object", "properties": {"number": {"type": "string"}}, "required": ["number"]}
FAULTS = table_under("ai_task.md", "## Every fault, tried")
JSON_FAULTS = ("bad_json", "bad_first", "no_json_object", "think_unopened")


def task(fault: str) -> AiTaskInput:
    """A task with two attempts, so that the last one fails too."""
    if fault in JSON_FAULTS:
        return AiTaskInput(task="extract", text=TEXT, output_schema=SCHEMA, max_attempts=2)
    return AiTaskInput(task="summarise", text=TEXT, sentences=1, max_attempts=2)


def test_every_fault_is_in_the_documentation() -> None:
    assert sorted({row["Fault"].partition(":")[0] for row in FAULTS}) == sorted(FAULT_NAMES)


@pytest.mark.parametrize("row", FAULTS, ids=[row["Fault"] for row in FAULTS])
async def test_a_fault_ends_as_the_documentation_says(
    client: Client, model_api: ModelApi, row: Mapping[str, str]
) -> None:
    environ = model_api.environ(row["Fault"], READ_TIMEOUT_S="1")
    deps = ActivityDeps(objects=FakeObjectStore(), fetcher=FakeFetcher({}), environ=environ)
    async with pipeline_under_test(SPEC, activities=load_activities(SPEC, deps), client=client) as under_test:
        run = await under_test.start(task(row["Fault"]))
        try:
            await run.result()
            code, message = "–", "–"
        except WorkflowFailureError:
            error = (await run.snapshot()).error
            assert error is not None
            code, message = error.code, error.message

    keys = [str(request["idempotency_key"]) for request in model_api.requests()]
    assert (code, str(sum(key.startswith(run.handle.id) for key in keys))) == (row["Code"], row["Requests"])
    assert row["Message contains"] in message
