"""Whole batches on a real Temporal server with the real activities."""

from contextlib import suppress

import msgspec
import pytest
from temporalio import activity
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError

from signalbox_core.errors import Rejected
from signalbox_core.events import Snapshot
from signalbox_core.testing.objects import FakeObjectStore
from signalbox_core.testing.pipeline import PipelineUnderTest, RunUnderTest, pipeline_under_test
from signalbox_devstack.emulators.sample_documents.inbox_files import (
    PaperFile,
    good_file,
    text_file,
    trap_files,
    unclear_file,
)
from signalbox_pipelines.document_batch.contract import SPEC, BatchInput, BatchResult, DocumentOutcome
from signalbox_pipelines.document_batch.document.contract import KindDecision
from signalbox_pipelines.document_batch.messages import StatisticsRequest
from support.assertions.eventually import eventually
from support.fakes.documents import activities_over, needs_tesseract, upload_all


def child_of(pipeline: PipelineUnderTest, run: RunUnderTest, index: int) -> RunUnderTest:
    return RunUnderTest(pipeline.client.get_workflow_handle(f"{run.handle.id}.{index:05}"), pipeline.emitter)


def letters(found: Snapshot) -> str:
    return next(step.items or "" for step in found.steps if step.name == "process")


def report_of(objects: FakeObjectStore, run: RunUnderTest) -> list[DocumentOutcome]:
    return msgspec.json.decode(
        objects.bodies[f"batches/acme/{run.run_id}/report.json"], type=list[DocumentOutcome]
    )


@needs_tesseract
async def test_a_mixed_batch_succeeds_partially_and_reports_each_reason() -> None:
    objects = FakeObjectStore()
    files: list[PaperFile] = [*(good_file(number) for number in range(8)), *trap_files()]
    async with pipeline_under_test(SPEC, activities=activities_over(objects)) as pipeline:
        run = await pipeline.start(BatchInput(documents=upload_all(objects, files)))
        result: BatchResult = await run.result()
        await eventually(lambda: run.event_names()[-1] == "run.completed")
        snapshot = await run.snapshot()
        await eventually(lambda: f"batches/acme/{run.run_id}/statistics.json" in objects.bodies)
        first = child_of(pipeline, run, 0)
        await eventually(lambda: "document.processed" in first.event_names())

    assert (result.total, result.ok, result.failed, result.waiting) == (14, 8, 6, 0)
    assert letters(snapshot) == "c" * 8 + "f" * 6
    # A listener that missed the last progress sees the same.
    ends = [msgspec.json.decode(event.data) for event in run.events() if event.name == "step.completed"]
    assert {end["step"]: end.get("items") for end in ends}["process"] == letters(snapshot)
    found = report_of(objects, run)
    assert [outcome.name for outcome in found] == [file.name for file in files]
    assert [outcome.code for outcome in found] == [file.fails_with for file in files]
    assert [outcome.kind for outcome in found[:8]] == [file.papers[0].kind for file in files[:8]]
    assert run.event_names()[-3:] == ["batch.processed", "step.completed", "run.completed"]
    assert [artifact.name for artifact in snapshot.artifacts] == ["documents.json", "report.json"]


async def test_failing_statistics_do_not_affect_the_batch() -> None:
    @activity.defn(name="document_batch.write_statistics")
    async def broken(request: StatisticsRequest) -> str:
        raise Rejected(f"no statistics of {request.run_id} today", code="no_statistics")

    objects = FakeObjectStore()
    real = [
        item
        for item in activities_over(objects)
        if activity._Definition.must_from_callable(item).name != "document_batch.write_statistics"
    ]
    async with pipeline_under_test(SPEC, activities=[*real, broken]) as pipeline:
        run = await pipeline.start(BatchInput(documents=upload_all(objects, [text_file(0)])))
        result: BatchResult = await run.result()
        statistics = pipeline.client.get_workflow_handle(f"{run.handle.id}/analytics")

        with pytest.raises(WorkflowFailureError):
            await statistics.result()
        await eventually(lambda: run.event_names()[-1] == "run.completed")

    assert (result.ok, result.failed) == (1, 0)
    assert "run.failed" not in run.event_names()


async def test_a_batch_waits_for_the_answer_to_an_unsure_document() -> None:
    objects = FakeObjectStore()
    documents = upload_all(objects, [unclear_file(1), text_file(0), unclear_file(2), text_file(1)])
    async with pipeline_under_test(SPEC, activities=activities_over(objects)) as pipeline:
        run = await pipeline.start(BatchInput(documents=documents, wait_for_confirmation=True, parallel=1))

        async def others_are_done() -> bool:
            return letters(await run.snapshot()) == "wcwc"

        await eventually(others_are_done, within_s=60)
        await child_of(pipeline, run, 0).decide("kind", KindDecision(kind="other"), by="lan")
        await child_of(pipeline, run, 2).decide("kind", KindDecision(kind="letter"), by="minh")
        result: BatchResult = await run.result()

    assert (result.ok, result.waiting, result.kinds) == (4, 0, {"invoice": 2, "other": 1, "letter": 1})


async def test_a_batch_can_end_while_a_document_waits_for_its_answer() -> None:
    objects = FakeObjectStore()
    async with pipeline_under_test(SPEC, activities=activities_over(objects)) as pipeline:
        run = await pipeline.start(BatchInput(documents=upload_all(objects, [unclear_file(), text_file(0)])))
        result: BatchResult = await run.result()
        waiting = child_of(pipeline, run, 0)
        await waiting.decide("kind", KindDecision(kind="letter"), by="lan")
        result_of_document = await pipeline.client.get_workflow_handle(f"acme:{waiting.run_id}").result()

    assert (result.ok, result.waiting) == (1, 1)
    assert [outcome.run_id for outcome in result.first_waiting] == [waiting.run_id]
    assert (result_of_document["kind"], result_of_document["confirmed_by"]) == ("letter", "lan")


async def test_a_cancelled_batch_cancels_its_documents() -> None:
    objects = FakeObjectStore()
    async with pipeline_under_test(SPEC, activities=activities_over(objects)) as pipeline:
        run = await pipeline.start(
            BatchInput(documents=upload_all(objects, [unclear_file()]), wait_for_confirmation=True)
        )
        waiting = child_of(pipeline, run, 0)
        await eventually(lambda: "approval.requested" in waiting.event_names(), within_s=60)

        await run.cancel("not needed")
        with suppress(WorkflowFailureError):
            await run.result()

        async def child_is_cancelled() -> bool:
            return (await waiting.handle.describe()).status == WorkflowExecutionStatus.CANCELED

        await eventually(child_is_cancelled, within_s=60)
        await eventually(lambda: waiting.event_names()[-1] == "run.cancelled")
