"""What the batch workflow, its statistics and its activities hand each other; lists travel as objects in the store."""

from msgspec import Struct

from signalbox_core.ids import derived_id
from signalbox_pipelines.document_batch.contract import BatchResult, DocumentSpec, Outcome


class PlanRequest(Struct, frozen=True, kw_only=True):
    tenant: str
    run_id: str
    documents: tuple[DocumentSpec, ...]
    manifest: str | None


class Plan(Struct, frozen=True, kw_only=True):
    """The batch cut into chunks, `folder/plan/00000.json` …, in the order in which they are worked on.

    `listing` is the object with every document's place, name and run, a list of Listed.
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
    """`index` is the document's place in the list that was given."""

    index: int
    document: DocumentSpec


class Listed(Struct, frozen=True, kw_only=True):
    """Who is who in the batch, for people who watch it."""

    index: int
    name: str
    run_id: str


class RecordRequest(Struct, frozen=True, kw_only=True):
    """Outcomes to be kept as `folder/outcomes/00000.json` …; `number` counts these files."""

    folder: str
    number: int
    outcomes: tuple[Outcome, ...]


class ReportRequest(Struct, frozen=True, kw_only=True):
    folder: str
    total: int
    files: int
    waiting: tuple[Outcome, ...]


class Report(Struct, frozen=True, kw_only=True):
    result: BatchResult
    key: str
    size_bytes: int


class StatisticsRequest(Struct, frozen=True, kw_only=True):
    run_id: str
    folder: str
    report: str


class Statistics(Struct, frozen=True, kw_only=True):
    """What `statistics.json` holds. Seconds are from a document's start to its end as the batch saw it."""

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


def child_id(run_id: str, index: int) -> str:
    """The run of the batch's document at that place."""
    stem = run_id if len(run_id) <= 120 else derived_id(run_id)
    return f"{stem}.{index:05}"


def name_of(document: DocumentSpec) -> str:
    """What to call it: as given, else the end of its address."""
    return document.name or (document.url or document.object or "").rstrip("/").rpartition("/")[2][:200]
