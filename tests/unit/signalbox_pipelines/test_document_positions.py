"""Boxes of facts on a page, and the previews that people see."""

import io

import pypdfium2 as pdfium
import pytest
from PIL import Image

from signalbox_core.process.cpu_pool import small_pool
from signalbox_core.testing.objects import FakeObjectStore
from signalbox_devstack.emulators.sample_documents.ground_truth import write_paper
from signalbox_devstack.emulators.sample_documents.renderers import photo, pictures, scan_pdf, text_pdf, tiff
from signalbox_pipelines.document_batch.document.extract.entities import find_entities
from signalbox_pipelines.document_batch.document.extract.positions import (
    boxes_for_span,
    locate_entities,
    locate_in_words,
)
from signalbox_pipelines.document_batch.document.messages import Box, PageText, StoredDocument, Word
from signalbox_pipelines.document_batch.document.ocr.tesseract import Tesseract, parse_tsv
from signalbox_pipelines.document_batch.document.read.formats import open_pages
from signalbox_pipelines.document_batch.document.read.media_types import check_media_type
from signalbox_pipelines.document_batch.document.read.open_document import open_document
from signalbox_pipelines.document_batch.document.read.previews import MAX_PREVIEWS, render_previews
from support.fakes.documents import needs_tesseract

PAPER = write_paper(1, 1)
TABLE = "\n".join(
    [
        "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext",
        "1\t1\t0\t0\t0\t0\t0\t0\t1000\t2000\t-1\t",
        "5\t1\t1\t1\t1\t1\t100\t200\t100\t40\t90\tTotal",
        "5\t1\t1\t1\t1\t2\t220\t200\t80\t40\t80\t12.00",
        "5\t1\t1\t1\t2\t1\t100\t300\t100\t40\t70\tEUR",
        "5\t1\t2\t1\t1\t1\t100\t900\t300\t40\t60\tBye",
    ]
)


async def boxes_by_value(body: bytes, page: PageText) -> dict[str, tuple[Box, ...]]:
    objects = FakeObjectStore()
    objects.bodies["k"] = body
    document = StoredDocument(
        name="d", key="k", sha256="s", media_type=check_media_type(body, "d"), size_bytes=len(body)
    )
    return {
        entity.value: entity.boxes
        for entity in await locate_entities(
            objects,
            small_pool(),
            document,
            {page.number} if page.read_by == "text layer" else (),
            locate_in_words(page, find_entities(page, ("en",))),
        )
    }


def first_page(body: bytes) -> PageText:
    pages = open_pages(body, check_media_type(body, "d"), "d")
    try:
        return PageText(number=1, text=pages.content(0).text, read_by="text layer")
    finally:
        pages.close()


def darkness(picture: Image.Image, box: Box, beyond: float = 0.0) -> float:
    """The share of dark pixels in a box of the picture, 0 to 1."""
    left, top, right, bottom = (value * side for value, side in zip(box, picture.size * 2, strict=True))
    part = picture.crop(
        (int(left - beyond), int(top - beyond), int(right + beyond) + 1, int(bottom + beyond) + 1)
    ).convert("L")
    return sum(count for level, count in enumerate(part.histogram()) if level < 128) / (
        part.width * part.height
    )


def test_words_parsed_from_tsv_have_their_text_and_box() -> None:
    read = parse_tsv(TABLE)

    assert read.text == "Total 12.00\nEUR\n\nBye"
    assert [read.text[word.start : word.end] for word in read.words] == ["Total", "12.00", "EUR", "Bye"]
    assert read.words[1].box == (0.22, 0.1, 0.3, 0.12)
    assert read.confidence == pytest.approx((5 * 90 + 5 * 80 + 3 * 70 + 3 * 60) / 16, abs=0.05)


def test_a_span_has_one_box_per_line_and_covers_only_its_part_of_a_word() -> None:
    words = parse_tsv(TABLE).words

    assert boxes_for_span(words, 0, 15) == ((0.1, 0.1, 0.3, 0.12), (0.1, 0.15, 0.2, 0.17))
    assert boxes_for_span([Word(start=0, end=10, box=(0.0, 0.0, 1.0, 0.1))], 2, 5) == ((0.2, 0.0, 0.5, 0.1),)
    assert boxes_for_span(words, 400, 410) == ()


async def test_a_box_from_the_text_layer_covers_exactly_the_fact() -> None:
    body = text_pdf([PAPER])
    found = await boxes_by_value(body, first_page(body))
    picture = pictures(body)[0]

    values = {value for _, value in PAPER.facts}
    assert values <= set(found)
    for value in values:
        (box,) = found[value]
        assert darkness(picture, box) > 0.1, value
    (mail,) = found[next(value for kind, value in PAPER.facts if kind == "email")]
    assert darkness(picture, (mail[2] + 0.01, mail[1], mail[2] + 0.1, mail[3])) == 0, (
        "the line ends with the address"
    )


async def test_boxes_follow_the_rotation_of_a_page() -> None:
    pdf = pdfium.PdfDocument(text_pdf([PAPER]))
    pdf[0].set_rotation(90)
    buffer = io.BytesIO()
    pdf.save(buffer)
    pdf.close()
    body = buffer.getvalue()

    found = await boxes_by_value(body, first_page(body))

    picture = pictures(body)[0]
    assert picture.width > picture.height
    for _, value in PAPER.facts:
        assert darkness(picture, found[value][0]) > 0.1, value


@needs_tesseract
async def test_ocr_and_text_layer_give_the_same_boxes() -> None:
    layered, scanned = text_pdf([PAPER]), scan_pdf([PAPER], 1)
    wanted = await boxes_by_value(layered, first_page(layered))
    pages = open_pages(scanned, "application/pdf", "d")
    read = await Tesseract().read(pages.ocr_image(0), ("en",))
    pages.close()

    found = await boxes_by_value(
        scanned, PageText(number=1, text=read.text, read_by="ocr", confidence=90.0, words=read.words)
    )

    same = [value for value in wanted if value in found]
    assert len(same) >= len(wanted) // 2
    for value in same:
        for one, other in zip(wanted[value][0], found[value][0], strict=True):
            assert one == pytest.approx(other, abs=0.01), value


async def test_facts_in_plain_text_have_no_boxes() -> None:
    body = b"write to lan@example.com"

    assert await boxes_by_value(body, first_page(body)) == {"lan@example.com": ()}


@pytest.mark.parametrize(
    ("body", "portrait"),
    [
        pytest.param(text_pdf([PAPER]), True, id="text PDF"),
        pytest.param(photo(PAPER, 1), True, id="photo"),
        pytest.param(tiff([PAPER]), True, id="TIFF"),
    ],
)
async def test_a_preview_is_a_small_jpeg_of_the_whole_page(body: bytes, portrait: bool) -> None:
    objects = FakeObjectStore()
    pages = await open_document(small_pool(), body, check_media_type(body, "d"), "d")

    (drawn,) = await render_previews(objects, pages, "pictures/x", lambda *_: None)

    picture = Image.open(io.BytesIO(objects.bodies[drawn.key]))
    assert (picture.format, picture.size) == ("JPEG", (drawn.width, drawn.height))
    assert (picture.height > picture.width) == portrait
    assert max(picture.size) <= 1_600
    assert drawn.size_bytes < 400_000


async def test_previews_are_limited_to_the_first_pages_and_skip_plain_text() -> None:
    objects = FakeObjectStore()
    body = text_pdf([PAPER] * (MAX_PREVIEWS + 2))
    for content, wanted in ((body, MAX_PREVIEWS), (b"plain\fwords", 0)):
        pages = await open_document(small_pool(), content, check_media_type(content, "d"), "d")
        drawn = await render_previews(objects, pages, "pictures/x", lambda *_: None)
        again = await render_previews(objects, pages, "pictures/x", lambda *_: None)
        assert len(drawn) == wanted
        assert again == drawn
