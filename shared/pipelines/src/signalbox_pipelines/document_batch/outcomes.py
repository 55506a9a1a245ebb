"""Outcomes of documents: building one, and computing the batch's result and statistics from all. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final

from signalbox_core.events.catalogue import Failure
from signalbox_pipelines.document_batch.contract import BatchResult, DocumentOutcome, DocumentStatus
from signalbox_pipelines.document_batch.document.contract import DocumentResult
from signalbox_pipelines.document_batch.messages import Statistics

_MAX_MESSAGE_CHARS: Final = 500
_MAX_LISTED: Final = 50


def ok(index: int, name: str, run_id: str, duration: timedelta, result: DocumentResult) -> DocumentOutcome:
    return DocumentOutcome(
        index=index,
        name=name,
        run_id=run_id,
        status="ok",
        seconds=_seconds(duration),
        kind=result.kind,
        page_count=result.page_count,
        ocr_pages=result.ocr_pages,
        chars=result.chars,
        entities=result.entities,
        result=result.result,
        text=result.text,
    )


def failed(index: int, name: str, run_id: str, duration: timedelta, failure: Failure) -> DocumentOutcome:
    message = failure.message[:_MAX_MESSAGE_CHARS]
    return DocumentOutcome(
        index=index,
        name=name,
        run_id=run_id,
        status="failed",
        seconds=_seconds(duration),
        code=failure.code,
        message=message,
    )


def waiting(index: int, name: str, run_id: str, duration: timedelta) -> DocumentOutcome:
    return DocumentOutcome(
        index=index, name=name, run_id=run_id, status="waiting", seconds=_seconds(duration)
    )


def build_result(total: int, outcomes: Sequence[DocumentOutcome]) -> BatchResult:
    """Count the outcomes and list the first of those that failed or wait."""
    by_status = {status: _with_status(outcomes, status) for status in ("ok", "failed", "waiting")}
    return BatchResult(
        total=total,
        ok=len(by_status["ok"]),
        failed=len(by_status["failed"]),
        waiting=len(by_status["waiting"]),
        kinds=count_names(outcome.kind for outcome in outcomes),
        failures=count_names(outcome.code for outcome in by_status["failed"]),
        first_failed=tuple(by_status["failed"][:_MAX_LISTED]),
        first_waiting=tuple(by_status["waiting"][:_MAX_LISTED]),
    )


def build_statistics(run_id: str, outcomes: Sequence[DocumentOutcome]) -> Statistics:
    seconds = sorted(outcome.seconds for outcome in outcomes if outcome.status != "waiting") or [0.0]
    entities: Counter[str] = Counter()
    for outcome in outcomes:
        entities.update(outcome.entities)
    return Statistics(
        run_id=run_id,
        documents=len(outcomes),
        by_status=count_names(outcome.status for outcome in outcomes),
        by_kind=count_names(outcome.kind for outcome in outcomes),
        by_failure=count_names(outcome.code for outcome in outcomes),
        pages=sum(outcome.page_count for outcome in outcomes),
        ocr_pages=sum(outcome.ocr_pages for outcome in outcomes),
        chars=sum(outcome.chars for outcome in outcomes),
        entities=dict(sorted(entities.items())),
        seconds_median=seconds[len(seconds) // 2],
        seconds_p95=seconds[min(len(seconds) - 1, len(seconds) * 95 // 100)],
        seconds_longest=seconds[-1],
    )


def count_names(names: Iterable[str | None]) -> dict[str, int]:
    """Count how often each name occurs, the most frequent first; None is skipped."""
    return dict(Counter(name for name in names if name is not None).most_common())


def _with_status(outcomes: Sequence[DocumentOutcome], status: DocumentStatus) -> list[DocumentOutcome]:
    return [outcome for outcome in outcomes if outcome.status == status]


def _seconds(duration: timedelta) -> float:
    return round(duration.total_seconds(), 3)
