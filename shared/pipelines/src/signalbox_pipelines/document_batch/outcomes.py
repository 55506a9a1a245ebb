"""An outcome from what became of a document. Pure."""

from datetime import timedelta

from signalbox_core.events.catalogue import Failure
from signalbox_pipelines.document_batch.contract import Outcome
from signalbox_pipelines.document_batch.document.contract import DocumentResult

_MAX_MESSAGE_CHARS = 500


def ok(index: int, name: str, run_id: str, took: timedelta, result: DocumentResult) -> Outcome:
    return Outcome(
        index=index,
        name=name,
        run_id=run_id,
        status="ok",
        seconds=_seconds(took),
        kind=result.kind,
        page_count=result.page_count,
        ocr_pages=result.ocr_pages,
        chars=result.chars,
        entities=result.entities,
        result=result.result,
        text=result.text,
    )


def failed(index: int, name: str, run_id: str, took: timedelta, failure: Failure) -> Outcome:
    message = failure.message[:_MAX_MESSAGE_CHARS]
    return Outcome(
        index=index,
        name=name,
        run_id=run_id,
        status="failed",
        seconds=_seconds(took),
        code=failure.code,
        message=message,
    )


def waiting(index: int, name: str, run_id: str, took: timedelta) -> Outcome:
    return Outcome(index=index, name=name, run_id=run_id, status="waiting", seconds=_seconds(took))


def _seconds(took: timedelta) -> float:
    return round(took.total_seconds(), 3)
