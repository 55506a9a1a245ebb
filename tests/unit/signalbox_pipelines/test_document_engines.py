"""Which OCR engine reads, and RapidOCR where it is installed (`pip install rapidocr onnxruntime`)."""

import pytest

from signalbox_core.errors import Rejected, SignalboxError, Unavailable
from signalbox_devstack.emulators.sample_documents.ground_truth import write_paper
from signalbox_devstack.emulators.sample_documents.renderers import scan_pdf
from signalbox_pipelines.document_batch.document.messages import box_of
from signalbox_pipelines.document_batch.document.ocr.engines import Engines
from signalbox_pipelines.document_batch.document.ocr.rapid_ocr import RapidOcr, is_installed, joined
from signalbox_pipelines.document_batch.document.ocr.rapid_ocr_program import Line
from signalbox_pipelines.document_batch.document.ocr.subprocess_engine import OcrProgram
from signalbox_pipelines.document_batch.document.ocr.tesseract import Tesseract
from signalbox_pipelines.document_batch.document.read.reader import open_pages


def line(text: str, left: float, top: float, score: float = 0.9) -> Line:
    return Line(text=text, score=score, box=box_of(left, top, left + 0.2, top + 0.02))


def test_pieces_side_by_side_are_a_row_and_know_their_place() -> None:
    read = joined([line("Amount", 0.1, 0.201), line("INVOICE", 0.4, 0.1), line("12.00", 0.6, 0.2)])

    assert read.text == "INVOICE\nAmount 12.00"
    assert [read.text[word.start : word.end] for word in read.words] == ["INVOICE", "Amount", "12.00"]
    assert read.confidence == 90.0


def test_nothing_read_is_an_empty_page() -> None:
    assert joined([]).text == ""
    assert joined([]).confidence is None


def test_what_is_asked_for_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    engines = Engines()

    assert isinstance(engines.choose("rapidocr"), RapidOcr)
    assert isinstance(engines.choose("tesseract"), Tesseract)
    monkeypatch.setenv("PATH", "/nowhere")
    assert isinstance(engines.choose("auto"), RapidOcr if is_installed() else Tesseract)


@pytest.mark.skipif(is_installed(), reason="RapidOCR is installed here")
async def test_without_the_extra_the_remedy_is_named() -> None:
    with pytest.raises(Rejected, match=r"install signalbox-pipelines\[rapidocr\]") as missing:
        await RapidOcr().identity(("en",))

    assert (missing.value.stable_code, missing.value.field) == ("ocr_missing", "engine")


@pytest.mark.skipif(not is_installed(), reason="the extra is not installed: pip install rapidocr onnxruntime")
async def test_rapidocr_reads_a_scan() -> None:
    paper = write_paper(1, 1)
    pages = open_pages(scan_pdf([paper], 1), "application/pdf", "scan.pdf")
    read = await RapidOcr().read(pages.picture(0), ("en",))
    pages.close()

    assert (await RapidOcr().identity(("en",))).startswith("rapidocr-3.")
    said = "".join(read.text.split())
    for text in ("INVOICE", "billing1@northgate.example.com", "AmountdueEUR4,788.00"):
        assert text.replace(" ", "") in said.replace(":", "")
    assert read.confidence is not None
    assert read.confidence > 90


@pytest.mark.parametrize(
    ("script", "kind", "code"),
    [
        pytest.param("kill -9 $$", Unavailable, "ocr_crashed", id="ended by a signal"),
        pytest.param("echo 'no such format' >&2; exit 3", Rejected, "ocr_refused", id="refuses the picture"),
    ],
)
async def test_an_engine_that_ends_badly_is_told_with_its_name(
    script: str, kind: type[Exception], code: str
) -> None:
    with pytest.raises(kind, match="Engine X") as ended:
        await OcrProgram("Engine X").read(["sh", "-c", script], b"")

    assert isinstance(ended.value, SignalboxError)
    assert ended.value.stable_code == code
