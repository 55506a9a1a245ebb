"""The contract of one document: its source, its result, and the one question that a run may ask."""

from datetime import timedelta
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from signalbox_core.errors import InvalidInput
from signalbox_core.pipeline import Approval, DomainEvent, Find, PipelineSpec, Step

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
        description="Where to fetch the document; instead of an uploaded file",
        max_length=2000,
        examples=["https://example.com/invoice.pdf"],
        extra_json_schema={"format": "uri"},
    ),
]
Object = Annotated[
    str,
    Meta(title="Uploaded file", description="The object that POST /v1/objects returned", max_length=300),
]
Name = Annotated[
    str,
    Meta(
        title="Name", description="Shown to people; by default the last part of the address", max_length=200
    ),
]
Languages = Annotated[
    tuple[Language, ...],
    Meta(
        title="Languages",
        description="The languages it may be written in, the most likely first",
        min_length=1,
        max_length=2,
    ),
]
EngineChoice = Annotated[
    Engine,
    Meta(
        title="OCR engine",
        description="For pages that are images; auto: the engine that is installed; none: such pages fail",
    ),
]

Pictures = Annotated[
    bool,
    Meta(
        title="Page pictures",
        description="Draw the first 20 pages, with the positions of the facts",
    ),
]


class DocumentInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The input: one document, by URL or as an uploaded object."""

    url: Url | None = None
    object: Object | None = None
    name: Annotated[Name, Find()] = ""
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
    """Require exactly one of the two, and a well-formed URL.

    Raises:
        InvalidInput: with the field `url`.
    """
    if (url is None) == (uploaded is None):
        raise InvalidInput(
            "give either url or object: the address of the document, or what POST /v1/objects returned",
            field="url",
        )
    if url is not None and (
        not url.lower().startswith(("http://", "https://")) or any(part.isspace() for part in url)
    ):
        raise InvalidInput(
            f"url {url[:80]!r} must be one address that starts with http:// or https://", field="url"
        )


class Cue(Struct, frozen=True, kw_only=True):
    """A phrase of the document that indicates a kind, with its weight and page."""

    phrase: str
    kind: Kind
    weight: float
    page: int


class Classification(Struct, frozen=True, kw_only=True):
    """The kind of a document and the reasons.

    Attributes:
        margin: how far the kind is ahead of the second best, 0 to 1.
        is_sure: False when a person must decide.
        confirmed_by: the person who decided, if one was asked.
    """

    kind: Kind
    margin: float
    scores: dict[Kind, float]
    cues: tuple[Cue, ...]
    is_sure: bool
    confirmed_by: str | None = None


# Digests of open questions cover this schema, docstring included: a change would refuse their answers.
class KindDecision(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person's word on what the document is."""

    kind: Annotated[Kind, Meta(title="Kind", description="What the document is")]


class DocumentResult(Struct, frozen=True, kw_only=True):
    """The result of one document.

    `entities` counts the facts by type; their values are in the object `result`, the text in `text`.
    """

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
    description="Reads one document (its text layer, or by OCR), classifies it and extracts dates, amounts, "
    "bank accounts and tax numbers.",
    subject="{name} · {url.page}",
    input=DocumentInput,
    result=DocumentResult,
    steps=(
        Step("fetch", "Fetch the document"),
        Step("read", "Read the pages"),
        Step("classify", "Classify the document"),
        Step("extract", "Extract the facts"),
        Step("store", "Store the result"),
    ),
    approvals=(KIND,),
    events=(
        DomainEvent(
            "document.processed",
            DocumentProcessed,
            "A document was read and classified, its facts were extracted, and the result was stored.",
        ),
    ),
    workflow="signalbox_pipelines.document_batch.document.workflow:Document",
    activities="signalbox_pipelines.document_batch.document.activities:DocumentActivities",
    task_queue="document_batch",
)
