"""Bad files fail at the first attempt with the documented code and message."""

from collections.abc import Mapping

import msgspec
from temporalio.client import Client

from signalbox_core.ids import run_key
from signalbox_core.testing.objects import FakeObjectStore
from signalbox_core.testing.pipeline import RunUnderTest, pipeline_under_test
from signalbox_devstack.emulators.sample_documents.inbox_files import PaperFile, long_text, trap_files
from signalbox_pipelines.document_batch.contract import SPEC, BatchInput, DocumentOutcome, DocumentSpec
from signalbox_pipelines.document_batch.document.read.limits import MAX_PAGES
from support.assertions.doc_tables import table_under
from support.fakes.documents import activities_over, upload_all


async def attempts_of(client: Client, workflow_id: str) -> int:
    """The attempt at which the activity failed."""
    history = await client.get_workflow_handle(workflow_id).fetch_history()
    started = {
        event.event_id: event.activity_task_started_event_attributes.attempt for event in history.events
    }
    name = "activity_task_failed_event_attributes"
    endings = [getattr(event, name) for event in history.events if event.HasField(name)]
    failed = [ending.started_event_id for ending in endings]
    assert len(failed) == 1
    return started[failed[0]]


def bad_files() -> list[PaperFile]:
    too_long = long_text(pages=MAX_PAGES + 1)
    return [*trap_files(), PaperFile(name="201-pages.pdf", body=too_long.body, fails_with="too_many_pages")]


async def outcomes_of(run: RunUnderTest, objects: FakeObjectStore) -> Mapping[str, DocumentOutcome]:
    await run.result()
    report = msgspec.json.decode(
        objects.bodies[f"batches/acme/{run.run_id}/report.json"], type=list[DocumentOutcome]
    )
    return {outcome.name: outcome for outcome in report}


async def test_bad_files_fail_as_documented() -> None:
    objects = FakeObjectStore()
    files = bad_files()
    documents = (*upload_all(objects, files), DocumentSpec(object="uploads/other/0", name="not-ours.pdf"))
    async with pipeline_under_test(SPEC, activities=activities_over(objects)) as pipeline:
        found = await outcomes_of(await pipeline.start(BatchInput(documents=documents)), objects)
        happened = [
            {
                "File": outcome.name,
                "Code": outcome.code,
                "Says": (outcome.message or "").partition(";")[0],
                "Attempts": str(await attempts_of(pipeline.client, run_key("acme", outcome.run_id))),
            }
            for outcome in found.values()
        ]

    ours = {name: outcome.code for name, outcome in found.items() if name != "not-ours.pdf"}
    assert ours == {file.name: file.fails_with for file in files}
    assert all(
        ";" in (outcome.message or "") or ":" in (outcome.message or "") for outcome in found.values()
    ), "each message names a remedy"
    assert happened == table_under("document_batch.md", "## Bad files")
