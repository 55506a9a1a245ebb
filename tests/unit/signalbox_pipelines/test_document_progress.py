"""The status letters in a batch's snapshot, and how the two pipelines are registered."""

from typing import Any

import msgspec

from signalbox_core.events import Snapshot, catalogue, fold
from signalbox_core.pipeline import discover
from signalbox_core.pipeline.activity.loader import load_workflows
from signalbox_pipelines.document_batch.contract import SPEC
from signalbox_pipelines.document_batch.document.contract import DOCUMENT
from signalbox_worker.pipelines import select_pipelines
from signalbox_worker.progress import merge
from support.fakes.events import make_event


def progress(**more: Any) -> catalogue.StepProgress:
    return catalogue.StepProgress(step="process", **more)


def test_status_letters_persist_until_replaced() -> None:
    started = make_event("step.started", catalogue.StepStarted(step="process", title="Read"), sequence=1)
    snapshot = fold(Snapshot(run_id=started.runid, tenant=started.tenantid), started)
    for data in (progress(percent=50.0, items="c."), progress(percent=60.0)):
        snapshot = fold(snapshot, make_event("step.progress", data, second=5))

    (step,) = snapshot.steps
    assert (step.percent, step.items) == (60.0, "c.")


def test_coalescing_progress_keeps_the_status_letters() -> None:
    merged = merge(progress(percent=10.0, items="c.", message="1 of 2"), progress(percent=20.0))

    assert (merged.percent, merged.items, merged.message) == (20.0, "c.", "1 of 2")


def test_progress_without_status_letters_omits_the_field() -> None:
    assert b"items" not in msgspec.json.encode(progress(percent=10.0))


def test_the_document_pipeline_shares_the_task_queue_of_the_batch() -> None:
    found = discover()

    assert found["document"] is DOCUMENT
    assert DOCUMENT.task_queue == SPEC.task_queue == "document_batch"


def test_a_worker_of_the_batch_pipeline_also_serves_documents() -> None:
    assert [spec.name for spec in select_pipelines(discover(), frozenset({"document_batch"}))] == [
        "document",
        "document_batch",
    ]


def test_batch_analytics_is_loaded_as_an_additional_workflow() -> None:
    assert [kind.__name__ for kind in load_workflows(SPEC)] == ["DocumentBatch", "BatchAnalytics"]
