"""Reading page by page: text layer first, pictures by OCR, and another attempt goes on where the first one stopped."""

from collections.abc import Sequence

import pytest

from signalbox_core.errors import Rejected, Unavailable
from signalbox_core.testing.objects import FakeObjectStore
from signalbox_devstack.emulators.sample_documents.folder import PaperFile, bomb_png, trap_files
from signalbox_devstack.emulators.sample_documents.ground_truth import write_paper
from signalbox_devstack.emulators.sample_documents.renderers import scan_pdf, text_pdf, tiff
from signalbox_pipelines.document_batch.document.contract import Language
from signalbox_pipelines.document_batch.document.messages import PageText
from signalbox_pipelines.document_batch.document.ocr.recognition import Recognised
from signalbox_pipelines.document_batch.document.ocr.tesseract import Tesseract, read_table
from signalbox_pipelines.document_batch.document.read.media_types import check_media_type, name_of
from signalbox_pipelines.document_batch.document.read.reader import Reader, open_pages

PAPERS = [write_paper(number, 1) for number in range(3)]


class CountingRecogniser:
    """Reads every picture as its number; crashes at the `crash_at`th, once."""

    def __init__(self, crash_at: int = 0) -> None:
        self.calls = 0
        self.crash_at = crash_at

    async def identity(self, languages: Sequence[Language]) -> str:
        return f"fake-1-{'+'.join(languages)}"

    async def read(self, picture: bytes, languages: Sequence[Language]) -> Recognised:
        assert languages
        assert picture.startswith(b"\x89PNG")
        self.calls += 1
        if self.calls == self.crash_at:
            raise Unavailable("the fake engine crashed", code="ocr_crashed")
        return Recognised(text=f"call {self.calls}", confidence=90.0)


async def read(
    body: bytes, recogniser: CountingRecogniser, objects: FakeObjectStore, engine: str = "auto"
) -> list[PageText]:
    pages = open_pages(body, check_media_type(body, "test.pdf"), "test.pdf")
    try:
        reader = Reader(objects, recogniser, "pages/test", languages=("vi", "en"), engine=engine)
        return await reader.read_all(pages, lambda *_: None)
    finally:
        pages.close()


async def test_the_text_layer_is_read_without_ocr() -> None:
    recogniser = CountingRecogniser()

    found = await read(text_pdf(PAPERS), recogniser, FakeObjectStore())

    assert recogniser.calls == 0
    assert [page.read_by for page in found] == ["text layer"] * 3
    wanted = [" ".join(" ".join([paper.title, *paper.lines]).split()) for paper in PAPERS]
    assert [" ".join(page.text.split()) for page in found] == wanted


@pytest.mark.parametrize("make", [pytest.param(scan_pdf, id="scanned PDF"), pytest.param(tiff, id="TIFF")])
async def test_another_attempt_goes_on_at_the_page_that_failed(make: object) -> None:
    body, recogniser, objects = make(PAPERS), CountingRecogniser(crash_at=3), FakeObjectStore()
    with pytest.raises(Unavailable):
        await read(body, recogniser, objects)

    found = await read(body, recogniser, objects)

    assert recogniser.calls == 4, "two pages, the crash, the third page"
    assert [page.text for page in found] == ["call 1", "call 2", "call 4"]
    assert len(objects.writes) == 3


async def test_pages_of_another_language_choice_are_read_anew() -> None:
    body, recogniser, objects = scan_pdf(PAPERS[:1]), CountingRecogniser(), FakeObjectStore()
    await read(body, recogniser, objects)
    reader = Reader(objects, recogniser, "pages/test", languages=("en",), engine="auto")
    pages = open_pages(body, "application/pdf", "test.pdf")

    await reader.read_all(pages, lambda *_: None)
    pages.close()

    assert recogniser.calls == 2


async def test_without_an_engine_a_picture_page_is_an_error_with_a_remedy() -> None:
    with pytest.raises(Rejected, match="install tesseract-ocr") as refused:
        await Tesseract(program="no-such-program").identity(("vi",))
    assert refused.value.stable_code == "ocr_missing"


async def test_with_ocr_off_the_text_layer_is_still_read() -> None:
    assert len(await read(text_pdf(PAPERS), CountingRecogniser(), FakeObjectStore(), engine="none")) == 3
    with pytest.raises(Rejected, match="OCR is switched off"):
        await read(scan_pdf(PAPERS[:1]), CountingRecogniser(), FakeObjectStore(), engine="none")


@pytest.mark.parametrize("trap", list(trap_files()), ids=lambda trap: trap.name)
async def test_a_trap_is_refused_with_its_code_and_a_remedy(trap: PaperFile) -> None:
    with pytest.raises(Rejected) as refused:
        await read(trap.body, CountingRecogniser(), FakeObjectStore())

    assert refused.value.stable_code == trap.fails_with
    assert ";" in refused.value.detail


def test_a_bomb_is_a_small_file() -> None:
    assert len(bomb_png()) < 200_000


async def test_too_many_pages_are_refused() -> None:
    with pytest.raises(Rejected, match="at most 200"):
        open_pages(b"\f" * 200, "text/plain", "long.txt")


async def test_plain_text_has_a_page_for_each_form_feed() -> None:
    found = await read("Kính gửi\fTrân trọng".encode(), CountingRecogniser(), FakeObjectStore())

    assert [page.text for page in found] == ["Kính gửi", "Trân trọng"]


def test_words_become_lines_and_paragraphs_with_a_weighted_confidence() -> None:
    head = "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext"
    rows = [
        "4\t1\t1\t1\t1\t0\t0\t0\t0\t0\t-1\t",
        "5\t1\t1\t1\t1\t1\t0\t0\t0\t0\t90\tXin",
        '5\t1\t1\t1\t1\t2\t0\t0\t0\t0\t90\t"chào"',
    ]
    rows += ["5\t1\t1\t1\t2\t1\t0\t0\t0\t0\t90\tLan", "5\t1\t2\t1\t1\t1\t0\t0\t0\t0\t60\tHai"]

    found = read_table("\n".join([head, *rows]))

    assert found.text == 'Xin "chào"\nLan\n\nHai'
    assert found.confidence == pytest.approx((12 * 90 + 3 * 60) / 15)


def test_a_document_is_called_by_its_name_or_the_end_of_its_address() -> None:
    assert name_of("", "https://a.example/inbox/h%C3%B3a%20%C4%91%C6%A1n.pdf?x=1", None) == "hóa đơn.pdf"
    assert name_of("Given", "https://a.example/b.pdf", None) == "Given"
    assert name_of("", "https://a.example/", None) == "document"
