"""Readers of tenants' bytes and texts, with seeds to damage."""

import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final, Literal

import msgspec
from msgspec import Struct
from PIL import Image

from signalbox_core.errors import SignalboxError
from signalbox_devstack.emulators.sample_documents.ground_truth import write_paper
from signalbox_devstack.emulators.sample_documents.renderers import text_pdf
from signalbox_pipelines.document_batch.document.activities import classify_text
from signalbox_pipelines.document_batch.document.extract.data_facts import facts_of
from signalbox_pipelines.document_batch.document.extract.window import find_in_window
from signalbox_pipelines.document_batch.document.messages import PageText
from signalbox_pipelines.document_batch.document.read.formats import open_pages
from signalbox_pipelines.document_batch.document.read.media_types import PDF, XML, check_media_type
from signalbox_pipelines.document_batch.document.read.open_document import read_structured_data
from signalbox_pipelines.document_batch.document.structured.reader import read_einvoice
from signalbox_pipelines.invoice_import.portal.originals import extract_xml, read_original
from support.fakes.invoices import a_row, an_archive, an_original
from support.papers.einvoices import (
    StatedInvoice,
    attach,
    cii_xml,
    order_xml,
    ubl_xml,
    zugferd_1_xml,
)

MAX_PAGE_CHARS: Final = 200_000
INVOICE: Final = read_einvoice(cii_xml(StatedInvoice()), "factur-x.xml")
EditKind = Literal["delete", "insert", "repeat", "overwrite"]
PARTS: Final = (
    *(
        b"<",
        b">",
        b"&",
        b"]]>",
        b"<!--",
        b"<!DOCTYPE a [",
        b"<![CDATA[",
        b"\x00",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
    ),
    *(b"stream", b"endobj", b"/Length 99999999", b"%PDF-1.7", b"xref", b"-1", b"1e999", b"NaN", b"Infinity"),
    *("٣٤".encode(), "²".encode(), "½".encode(), "İ".encode(), "\u0301".encode(), "\u202e".encode()),
)
TEXT_PARTS: Final = (
    *(
        "1",
        "12,345.67",
        "1.234,5",
        "1 234 567",
        "'000",
        "€",
        "$",
        "EUR",
        "đ",
        " ",
        "\n",
        "\f",
        ":",
        "-",
        "−",
        "%",
    ),
    *("IBAN DE89 3704 0044", "DE136695976", "FR40", "2026-02-30", "31/12/2026", "ngày 5 tháng 9 năm 2026"),
    *(
        "1 May 2026",
        "+49 30 901820",
        "a@b.example",
        "MST: 0100109106",
        "Total",
        "Rechnung Nr.",
        "tax",
        "Summe",
    ),
    *(
        "\u0301",
        "\u0000",
        "\ud7ff",
        "\U0010ffff",
        "İ",
        "ß",
        "²",
        "٣",
        "²٣",
        "Version 1.",
        "€ 1",
        "x" * 30,
        "١٢٫٥",
    ),
)


class Edit(Struct, frozen=True):
    """A change of a body: at a fraction of its length, of `size` bytes, with the part of this index."""

    kind: EditKind
    place: float
    size: int
    part: int


def damaged(body: bytes, edits: Sequence[Edit]) -> bytes:
    for edit in edits:
        at = int(edit.place * len(body))
        part = PARTS[edit.part % len(PARTS)]
        match edit.kind:
            case "delete":
                body = body[:at] + body[at + edit.size :]
            case "insert":
                body = body[:at] + part + body[at:]
            case "repeat":
                body = body[:at] + body[at : at + edit.size] * 3 + body[at:]
            case "overwrite":
                body = body[:at] + part[: edit.size] + body[at + len(part[: edit.size]) :]
    return body


def read_document(body: bytes) -> None:
    """Read a file as the pipeline does, without OCR."""
    media_type = check_media_type(body, "file")
    pages = open_pages(body, media_type, "file")
    try:
        for index in range(min(pages.page_count, 3)):
            content = pages.content(index)
            if content.needs_ocr:
                pages.ocr_image(index)
            pages.preview(index)
    finally:
        pages.close()
    if media_type in (PDF, XML):
        read_structured_data(body, media_type, "file")


def read_text(text: str) -> None:
    """Classify a page and find its facts."""
    page = PageText(number=1, text=text[:MAX_PAGE_CHARS], read_by="text layer")
    pages_json = msgspec.json.encode([page])
    classify_text(pages_json)
    found = find_in_window(pages_json, 0, ("vi", "en"), facts_of(INVOICE), "factur-x.xml")
    assert all(0 <= entity.start <= entity.end <= len(page.text) for entity in found.entities)


def read_invoice_xml(body: bytes) -> None:
    facts_of(read_einvoice(body, "a.xml"))


def read_portal_export(body: bytes) -> None:
    read_original(extract_xml(body))


def only_known_errors(read: Callable[[bytes], object], body: bytes) -> None:
    """Call a reader; errors of the taxonomy are what it may raise."""
    with suppress(SignalboxError), warnings.catch_warnings():
        # Pillow warns of corrupt EXIF data; tests turn warnings into errors.
        warnings.simplefilter("ignore", UserWarning)
        read(body)


def _picture(form: str) -> bytes:
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((90, 60)).convert("RGB").save(buffer, form)
    return buffer.getvalue()


_STATED: Final = StatedInvoice()
_PDF: Final = text_pdf([write_paper(0, 1), write_paper(1, 1)])
READERS: Final[Mapping[str, tuple[Callable[[bytes], object], tuple[bytes, ...]]]] = {
    "PDF": (read_document, (_PDF, attach(_PDF, {"factur-x.xml": cii_xml(_STATED)}))),
    "picture": (read_document, tuple(_picture(form) for form in ("PNG", "JPEG", "TIFF", "WEBP"))),
    "electronic invoice": (
        read_invoice_xml,
        (cii_xml(_STATED), zugferd_1_xml(_STATED), order_xml(_STATED), ubl_xml(_STATED)),
    ),
    "portal original": (read_original, (an_original(a_row()),)),
    "portal export": (read_portal_export, (an_archive(an_original(a_row())),)),
}
"""By name: the reader and the seeds to damage."""
