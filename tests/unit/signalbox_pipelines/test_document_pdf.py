"""PDFs of the real world: bytes before the header, filled forms, notes, and scans with a stamp of text."""

from pathlib import Path
from typing import Final

import pytest

from signalbox_pipelines.document_batch.document.extract.entities import find_entities
from signalbox_pipelines.document_batch.document.messages import Entity, PageText
from signalbox_pipelines.document_batch.document.read.formats import open_pages
from signalbox_pipelines.document_batch.document.read.media_types import PDF, check_media_type
from signalbox_pipelines.document_batch.document.read.pages import PageContent
from signalbox_pipelines.document_batch.document.read.pdf import PdfPages
from signalbox_pipelines.document_batch.document.read.picture_cover import PictureCover

FOLDER: Final = Path(__file__).parents[2] / "data" / "documents"


def first_page(name: str) -> PageContent:
    body = (FOLDER / name).read_bytes()
    pages = open_pages(body, check_media_type(body, name), name)
    try:
        return pages.content(0)
    finally:
        pages.close()


def facts_of(text: str) -> list[Entity]:
    return find_entities(PageText(number=1, text=text, read_by="text layer"), ("en",))


@pytest.mark.parametrize("name", ["leading-newlines.pdf", "leading-http-header.pdf", "bom-before-header.pdf"])
def test_a_header_within_the_first_bytes_is_accepted(name: str) -> None:
    body = (FOLDER / name).read_bytes()

    assert check_media_type(body, name) == PDF
    page = first_page(name)
    assert page.needs_ocr or "EUR 1,428.00" in page.text


def test_a_text_about_pdf_is_text() -> None:
    assert check_media_type(b"A file begins with %PDF-1.7 and a newline.", "note.txt") == "text/plain"


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("filled-form.pdf", ["2024-03-14", "1428.00", "DE89370400440532013000"]),
        ("freetext-note.pdf", ["1428.00"]),
    ],
)
def test_form_fields_and_notes_are_read_where_they_stand(name: str, values: list[str]) -> None:
    pages = PdfPages((FOLDER / name).read_bytes(), name)
    found = facts_of(pages.content(0).text)

    assert [fact.value for fact in found] == values
    for fact, boxes in zip(found, pages.boxes(0, [(fact.start, fact.end) for fact in found]), strict=True):
        assert len(boxes) == 1, fact
        left, top, right, bottom = boxes[0]
        assert 0 < right - left < 0.5, fact
        assert 0 < bottom - top < 0.05, fact
    pages.close()


@pytest.mark.parametrize("name", ["scan-camscanner.pdf", "scan-bates.pdf"])
def test_a_scan_with_a_stamp_is_read_by_ocr(name: str) -> None:
    assert first_page(name).needs_ocr


@pytest.mark.parametrize(
    ("pictures", "text", "needs_ocr", "unread"),
    [
        (0.0, 0.0, False, None),
        (1.0, 0.0, True, None),
        (0.9, 0.01, True, None),
        (0.9, 0.2, False, "a picture that covers 90% of the page was not read"),
        (0.3, 0.01, False, "a picture that covers 30% of the page was not read"),
        (0.0, 0.2, False, None),
    ],
)
def test_pictures_are_weighed_against_text(
    pictures: float, text: float, needs_ocr: bool, unread: str | None
) -> None:
    cover = PictureCover(pictures=pictures, text=text)

    assert (cover.needs_ocr, cover.unread) == (needs_ocr, unread)
