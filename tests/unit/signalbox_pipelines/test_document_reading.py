"""Reading page by page: text layer first, otherwise OCR; a retry continues where it stopped."""

from collections.abc import Sequence

import pytest

from signalbox_core.errors import Rejected, Unavailable
from signalbox_core.process.cpu_pool import small_pool
from signalbox_core.testing.objects import FakeObjectStore
from signalbox_devstack.emulators.sample_documents.ground_truth import write_paper
from signalbox_devstack.emulators.sample_documents.inbox_files import PaperFile, bomb_png, trap_files
from signalbox_devstack.emulators.sample_documents.renderers import scan_pdf, text_pdf, tiff
from signalbox_pipelines.document_batch.document.contract import Language
from signalbox_pipelines.document_batch.document.messages import PageText
from signalbox_pipelines.document_batch.document.ocr.engine import OcrResult
from signalbox_pipelines.document_batch.document.ocr.tesseract import Tesseract, parse_tsv
from signalbox_pipelines.document_batch.document.read.formats import open_pages
from signalbox_pipelines.document_batch.document.read.media_types import check_media_type, display_name
from signalbox_pipelines.document_batch.document.read.open_document import open_document
from signalbox_pipelines.document_batch.document.read.reader import PageReader

PAPERS = [write_paper(number, 1) for number in range(3)]


class CountingEngine:
    """Returns the number of the call as text; fails once, at call `crash_at`."""

    def __init__(self, crash_at: int = 0) -> None:
        self.calls = 0
        self.crash_at = crash_at

    async def fingerprint(self, languages: Sequence[Language]) -> str:
        return f"fake-1-{'+'.join(languages)}"

    async def read(self, image: bytes, languages: Sequence[Language]) -> OcrResult:
        assert languages
        assert image.startswith(b"\x89PNG")
        self.calls += 1
        if self.calls == self.crash_at:
            raise Unavailable("the fake engine crashed", code="ocr_crashed")
        return OcrResult(text=f"call {self.calls}", confidence=90.0)


async def read(
    body: bytes, ocr_engine: CountingEngine, objects: FakeObjectStore, engine: str = "auto"
) -> list[PageText]:
    pages = await open_document(small_pool(), body, check_media_type(body, "test.pdf"), "test.pdf")
    reader = PageReader(objects, ocr_engine, "pages/test", languages=("vi", "en"), engine=engine)
    return await reader.read_all(pages, lambda *_: None)


async def test_the_text_layer_is_read_without_ocr() -> None:
    ocr_engine = CountingEngine()

    found = await read(text_pdf(PAPERS), ocr_engine, FakeObjectStore())

    assert ocr_engine.calls == 0
    assert [page.read_by for page in found] == ["text layer"] * 3
    wanted = [" ".join(" ".join([paper.title, *paper.lines]).split()) for paper in PAPERS]
    assert [" ".join(page.text.split()) for page in found] == wanted


@pytest.mark.parametrize("make", [pytest.param(scan_pdf, id="scanned PDF"), pytest.param(tiff, id="TIFF")])
async def test_a_retry_continues_at_the_page_that_failed(make: object) -> None:
    body, ocr_engine, objects = make(PAPERS), CountingEngine(crash_at=3), FakeObjectStore()
    with pytest.raises(Unavailable):
        await read(body, ocr_engine, objects)

    found = await read(body, ocr_engine, objects)

    assert ocr_engine.calls == 4, "two pages, the crash, the third page"
    assert [page.text for page in found] == ["call 1", "call 2", "call 4"]
    assert len(objects.writes) == 3


async def test_pages_are_read_again_for_other_languages() -> None:
    body, ocr_engine, objects = scan_pdf(PAPERS[:1]), CountingEngine(), FakeObjectStore()
    await read(body, ocr_engine, objects)
    reader = PageReader(objects, ocr_engine, "pages/test", languages=("en",), engine="auto")
    pages = await open_document(small_pool(), body, "application/pdf", "test.pdf")

    await reader.read_all(pages, lambda *_: None)

    assert ocr_engine.calls == 2


async def test_a_missing_ocr_ocr_engineis_reported_with_the_remedy() -> None:
    with pytest.raises(Rejected, match="install tesseract-ocr") as refused:
        await Tesseract(program="no-such-program").fingerprint(("vi",))
    assert refused.value.stable_code == "ocr_missing"


async def test_the_text_layer_is_read_when_ocr_is_switched_off() -> None:
    assert len(await read(text_pdf(PAPERS), CountingEngine(), FakeObjectStore(), engine="none")) == 3
    with pytest.raises(Rejected, match="OCR is switched off"):
        await read(scan_pdf(PAPERS[:1]), CountingEngine(), FakeObjectStore(), engine="none")


@pytest.mark.parametrize("trap", list(trap_files()), ids=lambda trap: trap.name)
async def test_a_bad_file_is_rejected_with_its_code_and_a_remedy(trap: PaperFile) -> None:
    with pytest.raises(Rejected) as refused:
        await read(trap.body, CountingEngine(), FakeObjectStore())

    assert refused.value.stable_code == trap.fails_with
    assert ";" in refused.value.detail


def test_the_decompression_bomb_is_a_small_file() -> None:
    assert len(bomb_png()) < 200_000


async def test_a_document_with_too_many_pages_is_rejected() -> None:
    with pytest.raises(Rejected, match="at most 200"):
        open_pages(b"\f" * 200, "text/plain", "long.txt")


async def test_form_feeds_separate_the_pages_of_plain_text() -> None:
    found = await read("Kính gửi\fTrân trọng".encode(), CountingEngine(), FakeObjectStore())

    assert [page.text for page in found] == ["Kính gửi", "Trân trọng"]


def test_tsv_words_are_joined_into_lines_and_paragraphs_with_weighted_confidence() -> None:
    head = "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext"
    rows = [
        "4\t1\t1\t1\t1\t0\t0\t0\t0\t0\t-1\t",
        "5\t1\t1\t1\t1\t1\t0\t0\t0\t0\t90\tXin",
        '5\t1\t1\t1\t1\t2\t0\t0\t0\t0\t90\t"chào"',
    ]
    rows += ["5\t1\t1\t1\t2\t1\t0\t0\t0\t0\t90\tLan", "5\t1\t2\t1\t1\t1\t0\t0\t0\t0\t60\tHai"]

    found = parse_tsv("\n".join([head, *rows]))

    assert found.text == 'Xin "chào"\nLan\n\nHai'
    assert found.confidence == pytest.approx((12 * 90 + 3 * 60) / 15)


def test_the_display_name_is_the_given_name_or_the_end_of_the_url() -> None:
    assert display_name("", "https://a.example/inbox/h%C3%B3a%20%C4%91%C6%A1n.pdf?x=1", None) == "hóa đơn.pdf"
    assert display_name("Given", "https://a.example/b.pdf", None) == "Given"
    assert display_name("", "https://a.example/", None) == "document"
