"""Large batches: continue-as-new, every document counted once, a short history."""

from collections.abc import Callable
from typing import Any

import msgspec
from temporalio import activity

from signalbox_core.errors import Rejected
from signalbox_core.testing.objects import FakeObjectStore
from signalbox_core.testing.pipeline import pipeline_under_test
from signalbox_pipelines.document_batch.activities import CHUNK_SIZE
from signalbox_pipelines.document_batch.contract import (
    SPEC,
    BatchInput,
    BatchResult,
    DocumentOutcome,
    DocumentSpec,
)
from signalbox_pipelines.document_batch.document.contract import Classification
from signalbox_pipelines.document_batch.document.messages import (
    ClassifiedText,
    ClassifyRequest,
    ExtractRequest,
    FetchRequest,
    FoundEntities,
    ReadDocument,
    ReadRequest,
    StoredDocument,
    StoredResult,
    StoreRequest,
)
from support.assertions.eventually import eventually
from support.fakes.documents import activities_over

DOCUMENTS = CHUNK_SIZE + 60


@activity.defn(name="document.fetch_document")
async def fetch(request: FetchRequest) -> StoredDocument:
    if request.name.endswith("7"):
        raise Rejected("it ends in seven; rename it", code="unlucky")
    return StoredDocument(name=request.name, key="k", sha256="s", media_type="application/pdf", size_bytes=1)


@activity.defn(name="document.ocr_pages")
async def read(request: ReadRequest) -> ReadDocument:
    return ReadDocument(key="t", text_sha256="s", page_count=1, ocr_pages=0, chars=1, mean_confidence=None)


@activity.defn(name="document.classify")
async def classify(request: ClassifyRequest) -> ClassifiedText:
    return ClassifiedText(
        classification=Classification(kind="letter", margin=1.0, scores={}, cues=(), is_sure=True),
        beginning="",
    )


@activity.defn(name="document.extract_entities")
async def extract(request: ExtractRequest) -> FoundEntities:
    return FoundEntities(key="e", counts={"date": 1}, invalid=0)


@activity.defn(name="document.store_result")
async def store(request: StoreRequest) -> StoredResult:
    return StoredResult(result_key="r", result_bytes=1, text_key="t", text_bytes=1)


def batch_activities(objects: FakeObjectStore) -> list[Callable[..., Any]]:
    """The real activities of the batch, with documents that take no time."""
    of_batch = [
        item
        for item in activities_over(objects)
        if str(activity._Definition.must_from_callable(item).name).startswith("document_batch.")
    ]
    return [fetch, read, classify, extract, store, *of_batch]


async def test_a_batch_larger_than_one_execution_accounts_for_every_document_once() -> None:
    objects = FakeObjectStore()
    listed = [
        DocumentSpec(object=f"uploads/acme/{index}", name=f"d{index}", priority=1 + index % 5)
        for index in range(DOCUMENTS)
    ]
    objects.bodies["uploads/acme/list"] = msgspec.json.encode(listed)
    async with pipeline_under_test(SPEC, activities=batch_activities(objects)) as pipeline:
        run = await pipeline.start(BatchInput(manifest="uploads/acme/list", parallel=25))
        result: BatchResult = await run.result()
        await eventually(lambda: run.event_names()[-1] == "run.completed", within_s=60)
        description = await run.handle.describe()
        snapshot = await run.snapshot()

    unlucky = {index for index in range(DOCUMENTS) if index % 10 == 7}
    assert (result.total, result.ok, result.failed) == (DOCUMENTS, DOCUMENTS - len(unlucky), len(unlucky))
    assert result.failures == {"unlucky": len(unlucky)}
    report = msgspec.json.decode(
        objects.bodies[f"batches/acme/{run.run_id}/report.json"], type=list[DocumentOutcome]
    )
    assert [outcome.index for outcome in report] == list(range(DOCUMENTS))
    (process,) = [step for step in snapshot.steps if step.name == "process"]
    assert process.items == "".join("f" if index in unlucky else "c" for index in range(DOCUMENTS))
    assert process.attempt == 1, "the step started once, although the run continued as new"
    assert [event.sequence for event in run.events()] == list(range(1, len(run.events()) + 1))
    assert run.event_names().count("step.started") == 3
    assert description.run_id != run.handle.first_execution_run_id
    assert description.history_length < 5_000


async def test_documents_are_read_in_order_of_priority() -> None:
    objects = FakeObjectStore()
    seen: list[str] = []

    @activity.defn(name="document.fetch_document")
    async def recording(request: FetchRequest) -> StoredDocument:
        seen.append(request.name)
        return await fetch(request)

    documents = tuple(
        DocumentSpec(object=f"uploads/acme/{index}", name=f"d{index}", priority=5 - index)
        for index in range(5)
    )
    async with pipeline_under_test(SPEC, activities=[recording, *batch_activities(objects)[1:]]) as pipeline:
        run = await pipeline.start(BatchInput(documents=documents, parallel=1))
        await run.result()

    assert seen == ["d4", "d3", "d2", "d1", "d0"]
