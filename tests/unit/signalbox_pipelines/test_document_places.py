"""Where facts stand on a page, and the pictures of pages that people see."""

import io

import pypdfium2 as pdfium
import pytest
from PIL import Image

from signalbox_core.testing.objects import FakeObjectStore
from signalbox_devstack.emulators.sample_documents.ground_truth import write_paper
from signalbox_devstack.emulators.sample_documents.renderers import photo, pictures, scan_pdf, text_pdf, tiff
from signalbox_pipelines.document_batch.document.extract.entities import find_entities
from signalbox_pipelines.document_batch.document.extract.positions import boxes_of, located
from signalbox_pipelines.document_batch.document.messages import Box, PageText, StoredDocument, Word
from signalbox_pipelines.document_batch.document.ocr.tesseract import Tesseract, read_table
from signalbox_pipelines.document_batch.document.read.media_types import check_media_type
from signalbox_pipelines.document_batch.document.read.previews import MAX_PICTURES, draw_pages
from signalbox_pipelines.document_batch.document.read.reader import open_pages
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


async def places(body: bytes, page: PageText) -> dict[str, tuple[Box, ...]]:
    objects = FakeObjectStore()
    objects.bodies["k"] = body
    document = StoredDocument(
        name="d", key="k", sha256="s", media_type=check_media_type(body, "d"), size_bytes=len(body)
    )
    return {
        entity.value: entity.boxes
        for entity in await located(objects, document, [page], find_entities(page, ("en",)))
    }


def first_page(body: bytes) -> PageText:
    pages = open_pages(body, check_media_type(body, "d"), "d")
    try:
        return PageText(number=1, text=pages.layer(0).text, read_by="text layer")
    finally:
        pages.close()


def darkness(picture: Image.Image, box: Box, beyond: float = 0.0) -> float:
    """How much of the part of the picture is ink, 0 to 1."""
    left, top, right, bottom = (value * side for value, side in zip(box, picture.size * 2, strict=True))
    part = picture.crop(
        (int(left - beyond), int(top - beyond), int(right + beyond) + 1, int(bottom + beyond) + 1)
    ).convert("L")
    return sum(count for level, count in enumerate(part.histogram()) if level < 128) / (
        part.width * part.height
    )


def test_the_words_of_an_ocr_table_know_their_text_and_their_place() -> None:
    read = read_table(TABLE)

    assert read.text == "Total 12.00\nEUR\n\nBye"
    assert [read.text[word.start : word.end] for word in read.words] == ["Total", "12.00", "EUR", "Bye"]
    assert read.words[1].box == (0.22, 0.1, 0.3, 0.12)
    assert read.confidence == pytest.approx((5 * 90 + 5 * 80 + 3 * 70 + 3 * 60) / 16, abs=0.05)


def test_a_fact_has_a_box_for_each_line_and_only_its_part_of_a_word() -> None:
    words = read_table(TABLE).words

    assert boxes_of(words, 0, 15) == ((0.1, 0.1, 0.3, 0.12), (0.1, 0.15, 0.2, 0.17))
    assert boxes_of([Word(start=0, end=10, box=(0.0, 0.0, 1.0, 0.1))], 2, 5) == ((0.2, 0.0, 0.5, 0.1),)
    assert boxes_of(words, 400, 410) == ()


async def test_the_box_of_a_text_layer_has_the_fact_in_it_and_nothing_beside_it() -> None:
    body = text_pdf([PAPER])
    found = await places(body, first_page(body))
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


async def test_a_turned_page_has_its_boxes_where_people_see_them() -> None:
    pdf = pdfium.PdfDocument(text_pdf([PAPER]))
    pdf[0].set_rotation(90)
    buffer = io.BytesIO()
    pdf.save(buffer)
    pdf.close()
    body = buffer.getvalue()

    found = await places(body, first_page(body))

    picture = pictures(body)[0]
    assert picture.width > picture.height
    for _, value in PAPER.facts:
        assert darkness(picture, found[value][0]) > 0.1, value


@needs_tesseract
async def test_ocr_puts_the_boxes_where_the_text_layer_has_them() -> None:
    layered, scanned = text_pdf([PAPER]), scan_pdf([PAPER], 1)
    wanted = await places(layered, first_page(layered))
    pages = open_pages(scanned, "application/pdf", "d")
    read = await Tesseract().read(pages.picture(0), ("en",))
    pages.close()

    found = await places(
        scanned, PageText(number=1, text=read.text, read_by="ocr", confidence=90.0, words=read.words)
    )

    same = [value for value in wanted if value in found]
    assert len(same) >= len(wanted) // 2
    for value in same:
        for one, other in zip(wanted[value][0], found[value][0], strict=True):
            assert one == pytest.approx(other, abs=0.01), value


async def test_facts_of_plain_text_have_no_place_on_a_page() -> None:
    body = b"write to lan@example.com"

    assert await places(body, first_page(body)) == {"lan@example.com": ()}


@pytest.mark.parametrize(
    ("body", "portrait"),
    [
        pytest.param(text_pdf([PAPER]), True, id="text PDF"),
        pytest.param(photo(PAPER, 1), True, id="photo"),
        pytest.param(tiff([PAPER]), True, id="TIFF"),
    ],
)
async def test_a_page_picture_is_a_small_jpeg_of_the_whole_page(body: bytes, portrait: bool) -> None:
    objects = FakeObjectStore()
    pages = open_pages(body, check_media_type(body, "d"), "d")

    (drawn,) = await draw_pages(objects, pages, "pictures/x", lambda *_: None)
    pages.close()

    picture = Image.open(io.BytesIO(objects.bodies[drawn.key]))
    assert (picture.format, picture.size) == ("JPEG", (drawn.width, drawn.height))
    assert (picture.height > picture.width) == portrait
    assert max(picture.size) <= 1_600
    assert drawn.size_bytes < 400_000


async def test_no_more_pages_are_drawn_than_people_look_at_and_none_of_plain_text() -> None:
    objects = FakeObjectStore()
    body = text_pdf([PAPER] * (MAX_PICTURES + 2))
    for content, wanted in ((body, MAX_PICTURES), (b"plain\fwords", 0)):
        pages = open_pages(content, check_media_type(content, "d"), "d")
        drawn = await draw_pages(objects, pages, "pictures/x", lambda *_: None)
        again = await draw_pages(objects, pages, "pictures/x", lambda *_: None)
        pages.close()
        assert len(drawn) == wanted
        assert again == drawn
