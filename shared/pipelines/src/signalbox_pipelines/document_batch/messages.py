"""Messages between the batch workflow, its analytics and its activities. Lists travel as stored objects."""

from msgspec import Struct

from signalbox_core.ids import derived_id
from signalbox_pipelines.document_batch.contract import BatchResult, DocumentOutcome, DocumentSpec


class PlanRequest(Struct, frozen=True, kw_only=True):
    tenant: str
    run_id: str
    documents: tuple[DocumentSpec, ...]
    manifest: str | None


class BatchPlan(Struct, frozen=True, kw_only=True):
    """The chunks of a batch, stored as `folder/plan/00000.json` … in the order of processing.

    `listing` is the key of an object with every document's position, name and run, a list of BatchEntry.
    """

    folder: str
    total: int
    chunks: int
    listing: str = ""
    listing_bytes: int = 0


class ChunkRequest(Struct, frozen=True, kw_only=True):
    folder: str
    chunk: int


class PlannedDocument(Struct, frozen=True, kw_only=True):
    """`index` is the document's position in the input."""

    index: int
    document: DocumentSpec


class BatchEntry(Struct, frozen=True, kw_only=True):
    """The name and run of a document, for people who watch the batch."""

    index: int
    name: str
    run_id: str


class RecordOutcomesRequest(Struct, frozen=True, kw_only=True):
    """Outcomes to store as `folder/outcomes/00000.json` …; `number` is the number of the file."""

    folder: str
    number: int
    outcomes: tuple[DocumentOutcome, ...]


class BatchReportRequest(Struct, frozen=True, kw_only=True):
    folder: str
    total: int
    files: int
    waiting: tuple[DocumentOutcome, ...]


class BatchReport(Struct, frozen=True, kw_only=True):
    result: BatchResult
    key: str
    size_bytes: int


class StatisticsRequest(Struct, frozen=True, kw_only=True):
    run_id: str
    folder: str
    report: str


class Statistics(Struct, frozen=True, kw_only=True):
    """The content of `statistics.json`. Seconds are from the start of a document to its end."""

    run_id: str
    documents: int
    by_status: dict[str, int]
    by_kind: dict[str, int]
    by_failure: dict[str, int]
    pages: int
    ocr_pages: int
    chars: int
    entities: dict[str, int]
    seconds_median: float
    seconds_p95: float
    seconds_longest: float


def child_run_id(run_id: str, index: int) -> str:
    """The run id of the document at that position."""
    stem = run_id if len(run_id) <= 120 else derived_id(run_id)
    return f"{stem}.{index:05}"


def document_name(document: DocumentSpec) -> str:
    """The given name, or else the last segment of the URL or key."""
    return document.name or (document.url or document.object or "").rstrip("/").rpartition("/")[2][:200]
