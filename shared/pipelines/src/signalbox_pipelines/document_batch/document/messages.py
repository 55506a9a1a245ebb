"""Messages between the document workflow and its activities. Files and texts travel as object keys."""

from typing import Literal

from msgspec import Struct

from signalbox_core.events.catalogue import Failure
from signalbox_pipelines.document_batch.document.contract import (
    Classification,
    Cue,
    DocumentResult,
    Engine,
    EntityType,
    Kind,
    Language,
)
from signalbox_pipelines.document_batch.document.structured.model import EInvoice

ReadBy = Literal["text layer", "ocr", "blank"]
FactSource = Literal["text", "data"]


class FetchRequest(Struct, frozen=True, kw_only=True):
    tenant: str
    url: str | None
    object: str | None
    name: str


class StoredDocument(Struct, frozen=True, kw_only=True):
    """A document in the object store; `media_type` is detected from the content."""

    name: str
    key: str
    sha256: str
    media_type: str
    size_bytes: int


class ReadRequest(Struct, frozen=True, kw_only=True):
    tenant: str
    document: StoredDocument
    languages: tuple[Language, ...]
    engine: Engine
    pictures: bool = False


Box = tuple[float, float, float, float]
"""Left, top, right and bottom as fractions of the page's width and height."""


def box_of(left: float, top: float, right: float, bottom: float) -> Box:
    """Clamp the box to the page and round it to a ten-thousandth of the page."""
    clamped = [round(min(1.0, max(0.0, value)), 4) for value in (left, top, right, bottom)]
    return clamped[0], clamped[1], clamped[2], clamped[3]


class Word(Struct, frozen=True, kw_only=True, array_like=True):
    """The box of a span of a page's text."""

    start: int
    end: int
    box: Box


class Doubt(Struct, frozen=True, kw_only=True, array_like=True):
    """A span of a page's text that OCR reads in two ways; the first of `readings` is in the text."""

    start: int
    end: int
    readings: tuple[str, str]


class PageText(Struct, frozen=True, kw_only=True):
    """The text of one page.

    Attributes:
        confidence: of the OCR engine, 0 to 100; None where a text layer was read.
        words: set by OCR only.
        doubts: words that OCR reads in two ways, in text order.
        unread: what of the page was not read, for people; None when nothing.
    """

    number: int
    text: str
    read_by: ReadBy
    confidence: float | None = None
    words: tuple[Word, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    unread: str | None = None


class PagePreview(Struct, frozen=True, kw_only=True):
    """An image of a page for people, published as the artifact `name`. Sizes are in pixels."""

    page: int
    name: str
    key: str
    media_type: str
    size_bytes: int
    width: int
    height: int


class ReadDocument(Struct, frozen=True, kw_only=True):
    """The object `key` holds all pages as a list of PageText; `text_sha256` is their digest.

    Attributes:
        unread_pages: number of pages of which something was not read.
        structured: key of the invoice that the document states as data, an EInvoice; None when there is none.
        structured_problem: why an attached invoice could not be read.
    """

    key: str
    text_sha256: str
    page_count: int
    ocr_pages: int
    chars: int
    mean_confidence: float | None
    pictures: tuple[PagePreview, ...] = ()
    unread_pages: int = 0
    structured: str | None = None
    structured_problem: str | None = None


class ClassifyRequest(Struct, frozen=True, kw_only=True):
    text_key: str
    structured: str | None = None


class ExtractRequest(Struct, frozen=True, kw_only=True):
    tenant: str
    text_key: str
    text_sha256: str
    languages: tuple[Language, ...]
    document: StoredDocument | None = None
    structured: str | None = None


class Entity(Struct, frozen=True, kw_only=True):
    """A fact found in the text, or stated as data.

    Attributes:
        text: as written.
        value: normalised.
        page: from 1.
        start, end: the position in the page's text.
        valid: False when a check failed; such a fact is kept, with the reason in `note`.
        boxes: its position on the page, one box per line; empty for formats without a layout.
        source: `data` when an electronic invoice states it, which is exact; its note names what it is.
    """

    type: EntityType
    text: str
    value: str
    page: int
    start: int
    end: int
    valid: bool = True
    currency: str | None = None
    note: str | None = None
    boxes: tuple[Box, ...] = ()
    source: FactSource = "text"


class FoundEntities(Struct, frozen=True, kw_only=True):
    """The object `key` holds the entities; `counts` is by type.

    Attributes:
        from_data: how many are stated as data.
        not_shown: how many of those the text of the pages does not show.
    """

    key: str
    counts: dict[str, int]
    invalid: int
    from_data: int = 0
    not_shown: int = 0


class StoreRequest(Struct, frozen=True, kw_only=True):
    tenant: str
    document: StoredDocument
    read: ReadDocument
    classification: Classification
    entities: FoundEntities


class StoredResult(Struct, frozen=True, kw_only=True):
    result_key: str
    result_bytes: int
    text_key: str
    text_bytes: int


class ResultFile(Struct, frozen=True, kw_only=True):
    """The content of `result.json`."""

    document: StoredDocument
    read: ReadDocument
    classification: Classification
    entities: tuple[Entity, ...]
    pages: tuple[PageText, ...]
    version: str
    structured: EInvoice | None = None


class KindEvidence(Struct, frozen=True, kw_only=True):
    """What a person sees when asked for the kind."""

    name: str
    page_count: int
    cues: tuple[Cue, ...]
    margin: float
    beginning: str


class KindOption(Struct, frozen=True, kw_only=True):
    kind: Kind
    score: float


class ClassifiedText(Struct, frozen=True, kw_only=True):
    """A classification and the beginning of the text, which a person sees as evidence."""

    classification: Classification
    beginning: str


class DocumentWaiting(Struct, frozen=True, kw_only=True):
    """Signal `document_waiting` to the batch: a person was asked."""

    run_id: str


class DocumentEnded(Struct, frozen=True, kw_only=True):
    """Signal `document_settled` to the batch: how a document ended that had asked a person.

    Exactly one of `result`, `failure` and `is_cancelled` is set.
    """

    run_id: str
    result: DocumentResult | None = None
    failure: Failure | None = None
    is_cancelled: bool = False
