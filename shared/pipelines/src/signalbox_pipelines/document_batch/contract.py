"""The contract of document_batch: many documents in, one report out. Partial success is a normal result."""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from signalbox_core.errors import InvalidInput
from signalbox_core.pipeline import DomainEvent, PipelineSpec, Step
from signalbox_pipelines.document_batch.document.contract import (
    DOCUMENT,
    EngineChoice,
    Kind,
    Languages,
    Name,
    Object,
    Pictures,
    Url,
    check_source,
)

MAX_INLINE: Final = 2_000
MAX_DOCUMENTS: Final = 10_000

DocumentStatus = Literal["ok", "failed", "waiting"]
Manifest = Annotated[
    str,
    Meta(
        title="List",
        description="An uploaded JSON list of documents, when there are too many for this form: "
        "the object that POST /v1/objects returned",
        max_length=300,
    ),
]


class DocumentSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One document of the batch, by URL or as an uploaded object."""

    url: Url | None = None
    object: Object | None = None
    name: Name = ""
    priority: Annotated[int, Meta(title="Priority", description="1 is read first, 5 last", ge=1, le=5)] = 3

    def __post_init__(self) -> None:
        check_source(self.url, self.object)


class BatchInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The input: the documents, inline or as an uploaded list."""

    documents: Annotated[tuple[DocumentSpec, ...], Meta(title="Documents", max_length=MAX_INLINE)] = ()
    manifest: Manifest | None = None
    languages: Languages = ("vi", "en")
    engine: EngineChoice = "auto"
    pictures: Pictures = True
    wait_for_confirmation: Annotated[
        bool,
        Meta(
            title="Wait for people",
            description="End only after every question is answered; otherwise list such documents as waiting",
        ),
    ] = False
    parallel: Annotated[
        int,
        Meta(
            title="Parallel documents",
            description="How many documents are processed at the same time",
            ge=1,
            le=50,
        ),
    ] = 8

    def __post_init__(self) -> None:
        if bool(self.documents) == (self.manifest is not None):
            raise InvalidInput(
                "give either documents or manifest (an uploaded list), and at least one document",
                field="documents",
            )
        if len(set(self.languages)) < len(self.languages):
            raise InvalidInput(
                f"languages names {self.languages[0]} twice; name each language once", field="languages"
            )


class DocumentOutcome(Struct, frozen=True, kw_only=True):
    """The outcome of one document; `run_id` is its own run, with its own stream and approval."""

    index: int
    name: str
    run_id: str
    status: DocumentStatus
    seconds: float = 0.0
    kind: Kind | None = None
    page_count: int = 0
    ocr_pages: int = 0
    chars: int = 0
    entities: dict[str, int] = {}
    result: str | None = None
    text: str | None = None
    code: str | None = None
    message: str | None = None


class BatchResult(Struct, frozen=True, kw_only=True):
    """The counts, and the first documents that failed or wait; `report.json` lists all of them."""

    total: int
    ok: int
    failed: int
    waiting: int
    kinds: dict[str, int]
    failures: dict[str, int]
    first_failed: tuple[DocumentOutcome, ...] = ()
    first_waiting: tuple[DocumentOutcome, ...] = ()


class BatchProcessed(Struct, frozen=True, kw_only=True):
    """Data of `batch.processed`."""

    total: int
    ok: int
    failed: int
    waiting: int
    report: str


SPEC: Final = PipelineSpec(
    name="document_batch",
    title="Document batch",
    description="Reads many documents, each in a run of its own; a bad document does not stop the others.",
    subject="{documents.count} documents",
    input=BatchInput,
    result=BatchResult,
    steps=(
        Step("plan", "Plan the batch"),
        Step("process", "Read the documents"),
        Step("report", "Write the report"),
    ),
    events=(
        DomainEvent(
            "batch.processed",
            BatchProcessed,
            "Every document of a batch was read, has failed, or waits for a person.",
        ),
    ),
    workflow="signalbox_pipelines.document_batch.workflow:DocumentBatch",
    workflows=("signalbox_pipelines.document_batch.workflow:BatchAnalytics",),
    activities="signalbox_pipelines.document_batch.activities:BatchActivities",
    children=(DOCUMENT,),
)
