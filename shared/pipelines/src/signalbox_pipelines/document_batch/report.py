"""From outcomes to the batch's result and its statistics. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from signalbox_pipelines.document_batch.contract import BatchResult, DocumentStatus, Outcome
from signalbox_pipelines.document_batch.messages import Statistics

_SHOWN: Final = 50


def result_of(total: int, outcomes: Sequence[Outcome]) -> BatchResult:
    """The counts; every document is ok, failed or waiting."""
    by_status = {status: _of(outcomes, status) for status in ("ok", "failed", "waiting")}
    return BatchResult(
        total=total,
        ok=len(by_status["ok"]),
        failed=len(by_status["failed"]),
        waiting=len(by_status["waiting"]),
        kinds=counted(outcome.kind for outcome in outcomes),
        failures=counted(outcome.code for outcome in by_status["failed"]),
        first_failed=tuple(by_status["failed"][:_SHOWN]),
        first_waiting=tuple(by_status["waiting"][:_SHOWN]),
    )


def statistics_of(run_id: str, outcomes: Sequence[Outcome]) -> Statistics:
    seconds = sorted(outcome.seconds for outcome in outcomes if outcome.status != "waiting") or [0.0]
    entities: Counter[str] = Counter()
    for outcome in outcomes:
        entities.update(outcome.entities)
    return Statistics(
        run_id=run_id,
        documents=len(outcomes),
        by_status=counted(outcome.status for outcome in outcomes),
        by_kind=counted(outcome.kind for outcome in outcomes),
        by_failure=counted(outcome.code for outcome in outcomes),
        pages=sum(outcome.page_count for outcome in outcomes),
        ocr_pages=sum(outcome.ocr_pages for outcome in outcomes),
        chars=sum(outcome.chars for outcome in outcomes),
        entities=dict(sorted(entities.items())),
        seconds_median=seconds[len(seconds) // 2],
        seconds_p95=seconds[min(len(seconds) - 1, len(seconds) * 95 // 100)],
        seconds_longest=seconds[-1],
    )


def counted(names: Iterable[str | None]) -> dict[str, int]:
    """How often each name occurs, the most frequent first; none is not counted."""
    return dict(Counter(name for name in names if name is not None).most_common())


def _of(outcomes: Sequence[Outcome], status: DocumentStatus) -> list[Outcome]:
    return [outcome for outcome in outcomes if outcome.status == status]
