"""The contract of one document: where it is, what was found in it, and the one question it may ask."""

from datetime import timedelta
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from signalbox_core.errors import InvalidInput
from signalbox_core.pipeline import Approval, DomainEvent, PipelineSpec, Step

Language = Literal["vi", "en"]
Engine = Literal["auto", "tesseract", "rapidocr", "none"]
Kind = Literal["invoice", "receipt", "contract", "letter", "bank_statement", "other"]
EntityType = Literal["date", "amount", "iban", "vat", "tax_id", "email", "phone"]
KINDS: Final[tuple[Kind, ...]] = ("invoice", "receipt", "contract", "letter", "bank_statement", "other")
ENTITY_TYPES: Final[tuple[EntityType, ...]] = ("date", "amount", "iban", "vat", "tax_id", "email", "phone")

Url = Annotated[
    str,
    Meta(
        title="Address",
        description="Where the document can be fetched; or give an uploaded object",
        max_length=2000,
        examples=["https://example.com/invoice.pdf"],
        extra_json_schema={"format": "uri"},
    ),
]
Object = Annotated[
    str,
    Meta(title="Uploaded file", description="The object that POST /v1/objects answered with", max_length=300),
]
Name = Annotated[
    str,
    Meta(
        title="Name", description="What people call it; the end of its address unless given", max_length=200
    ),
]
Languages = Annotated[
    tuple[Language, ...],
    Meta(
        title="Languages",
        description="What it may be written in, the likeliest first",
        min_length=1,
        max_length=2,
    ),
]
EngineChoice = Annotated[
    Engine,
    Meta(
        title="OCR engine",
        description="For pages that are pictures; auto: what the worker has; none: such pages are an error",
    ),
]

Pictures = Annotated[
    bool,
    Meta(
        title="Page pictures",
        description="Draw the first 20 pages, so that people see them and where the facts stand",
    ),
]


class DocumentInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One document, by address or as an uploaded object."""

    url: Url | None = None
    object: Object | None = None
    name: Name = ""
    languages: Languages = ("vi", "en")
    engine: EngineChoice = "auto"
    pictures: Pictures = True

    def __post_init__(self) -> None:
        check_source(self.url, self.object)
        if len(set(self.languages)) < len(self.languages):
            raise InvalidInput(
                f"languages names {self.languages[0]} twice; name each language once", field="languages"
            )


def check_source(url: str | None, uploaded: str | None) -> None:
    """Exactly one of the two, and an address that is one.

    Raises:
        InvalidInput: naming `url`.
    """
    if (url is None) == (uploaded is None):
        raise InvalidInput(
            "give either url or object: the address of the document, or what POST /v1/objects answered",
            field="url",
        )
    if url is not None and (
        not url.lower().startswith(("http://", "https://")) or any(part.isspace() for part in url)
    ):
        raise InvalidInput(
            f"url {url[:80]!r} must be one address that starts with http:// or https://", field="url"
        )


class Cue(Struct, frozen=True, kw_only=True):
    """A phrase of the document that speaks for a kind, where it stands and how much it weighs."""

    phrase: str
    kind: Kind
    weight: float
    page: int


class Classification(Struct, frozen=True, kw_only=True):
    """The kind, how far it is ahead of the next (margin, 0 to 1), and why. `confirmed_by` is the person who was asked."""

    kind: Kind
    margin: float
    scores: dict[Kind, float]
    cues: tuple[Cue, ...]
    is_sure: bool
    confirmed_by: str | None = None


class KindDecision(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person's word on what the document is."""

    kind: Annotated[Kind, Meta(title="Kind", description="What the document is")]


class DocumentResult(Struct, frozen=True, kw_only=True):
    """What became of one document. `entities` counts by type; the values are in the object `result`, the text in `text`."""

    name: str
    sha256: str
    media_type: str
    size_bytes: int
    page_count: int
    ocr_pages: int
    chars: int
    mean_confidence: float | None
    kind: Kind
    margin: float
    confirmed_by: str | None
    entities: dict[str, int]
    invalid_entities: int
    result: str
    text: str


class DocumentProcessed(Struct, frozen=True, kw_only=True):
    """Data of `document.processed`."""

    document: str
    sha256: str
    kind: Kind
    confirmed_by: str | None
    page_count: int
    ocr_pages: int
    entities: dict[str, int]
    result: str
    text: str


KIND: Final = Approval(
    name="kind", title="What is this document?", answer=KindDecision, deadline=timedelta(days=7)
)

DOCUMENT: Final = PipelineSpec(
    name="document",
    title="Document",
    description="Reads one document (text layer first, else OCR), says what it is and finds dates, amounts, accounts and tax numbers.",
    input=DocumentInput,
    result=DocumentResult,
    steps=(
        Step("fetch", "Fetch the document"),
        Step("read", "Read the pages"),
        Step("classify", "What is it?"),
        Step("extract", "Find the facts"),
        Step("store", "Store the result"),
    ),
    approvals=(KIND,),
    events=(
        DomainEvent(
            "document.processed",
            DocumentProcessed,
            "A document was read, classified and searched; its result is stored.",
        ),
    ),
    workflow="signalbox_pipelines.document_batch.document.workflow:Document",
    activities="signalbox_pipelines.document_batch.document.activities:DocumentActivities",
    task_queue="document_batch",
)
