"""What the document workflow and its activities hand each other. Bodies and texts travel as keys of the object store."""

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

ReadBy = Literal["text layer", "ocr", "blank"]


class FetchRequest(Struct, frozen=True, kw_only=True):
    tenant: str
    url: str | None
    object: str | None
    name: str


class StoredDocument(Struct, frozen=True, kw_only=True):
    """The bytes as they came: `key` in the store, `media_type` by content."""

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
"""Left, top, right, bottom as parts of the page's width and height, 0 to 1."""


def box_of(left: float, top: float, right: float, bottom: float) -> Box:
    """Within the page; a ten-thousandth of a page is finer than any eye."""
    inside = [round(min(1.0, max(0.0, value)), 4) for value in (left, top, right, bottom)]
    return inside[0], inside[1], inside[2], inside[3]


class Word(Struct, frozen=True, kw_only=True, array_like=True):
    """Where a part of a page's text stands on the page."""

    start: int
    end: int
    box: Box


class PageText(Struct, frozen=True, kw_only=True):
    """One page. `confidence` is the engine's, 0 to 100, and None where a text layer was read; `words` is of OCR only."""

    number: int
    text: str
    read_by: ReadBy
    confidence: float | None = None
    words: tuple[Word, ...] = ()


class PagePicture(Struct, frozen=True, kw_only=True):
    """A page as people see it: the run's file `name`, in pixels."""

    page: int
    name: str
    key: str
    media_type: str
    size_bytes: int
    width: int
    height: int


class ReadDocument(Struct, frozen=True, kw_only=True):
    """All pages are in the object `key`, a list of PageText; `text_sha256` names their content."""

    key: str
    text_sha256: str
    page_count: int
    ocr_pages: int
    chars: int
    mean_confidence: float | None
    pictures: tuple[PagePicture, ...] = ()


class ClassifyRequest(Struct, frozen=True, kw_only=True):
    text_key: str


class ExtractRequest(Struct, frozen=True, kw_only=True):
    tenant: str
    text_key: str
    text_sha256: str
    languages: tuple[Language, ...]
    document: StoredDocument | None = None


class Entity(Struct, frozen=True, kw_only=True):
    """One fact: as written (`text`), normalised (`value`), where (`page` from 1, `start` and `end` in that page's text).

    `boxes` is its place on the page, one for each line that it stands on; none where the file has no pages to look at.

    An entity that does not stand a check is shown with `valid` false and the reason in `note`, never dropped.
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


class FoundEntities(Struct, frozen=True, kw_only=True):
    """The entities are in the object `key`; here are their numbers by type."""

    key: str
    counts: dict[str, int]
    invalid: int


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
    """The stored JSON."""

    document: StoredDocument
    read: ReadDocument
    classification: Classification
    entities: tuple[Entity, ...]
    pages: tuple[PageText, ...]
    version: str


class KindEvidence(Struct, frozen=True, kw_only=True):
    """What a person sees who is asked for the kind."""

    name: str
    page_count: int
    cues: tuple[Cue, ...]
    margin: float
    beginning: str


class KindOption(Struct, frozen=True, kw_only=True):
    kind: Kind
    score: float


class Doubt(Struct, frozen=True, kw_only=True):
    """A classification with the beginning of the text, for the evidence."""

    classification: Classification
    beginning: str


class Waiting(Struct, frozen=True, kw_only=True):
    """Signal `document_waiting` to the batch: a person is asked."""

    run_id: str


class Settled(Struct, frozen=True, kw_only=True):
    """Signal `document_settled` to the batch, from a document that had asked: how it ended. Exactly one of the three."""

    run_id: str
    result: DocumentResult | None = None
    failure: Failure | None = None
    is_cancelled: bool = False
