"""OCR engines: selection, subprocess errors, and RapidOCR where the extra is installed."""

import pytest

from signalbox_core.errors import Rejected, SignalboxError, Unavailable
from signalbox_devstack.emulators.sample_documents.ground_truth import write_paper
from signalbox_devstack.emulators.sample_documents.renderers import scan_pdf
from signalbox_pipelines.document_batch.document.messages import box_of
from signalbox_pipelines.document_batch.document.ocr.process_pool import OcrProcessPool
from signalbox_pipelines.document_batch.document.ocr.rapid_ocr import RapidOcr, assemble_lines, is_installed
from signalbox_pipelines.document_batch.document.ocr.rapid_ocr_program import OcrLine
from signalbox_pipelines.document_batch.document.ocr.selection import OcrEngines
from signalbox_pipelines.document_batch.document.ocr.tesseract import Tesseract
from signalbox_pipelines.document_batch.document.read.formats import open_pages


def line(text: str, left: float, top: float, score: float = 0.9) -> OcrLine:
    return OcrLine(text=text, score=score, box=box_of(left, top, left + 0.2, top + 0.02))


def test_rapid_ocr_joins_pieces_side_by_side_into_rows_with_word_positions() -> None:
    read = assemble_lines([line("Amount", 0.1, 0.201), line("INVOICE", 0.4, 0.1), line("12.00", 0.6, 0.2)])

    assert read.text == "INVOICE\nAmount 12.00"
    assert [read.text[word.start : word.end] for word in read.words] == ["INVOICE", "Amount", "12.00"]
    assert read.confidence == 90.0


def test_rapid_ocr_returns_an_empty_page_without_pieces() -> None:
    assert assemble_lines([]).text == ""
    assert assemble_lines([]).confidence is None


def test_the_requested_ocr_engine_is_selected(monkeypatch: pytest.MonkeyPatch) -> None:
    engines = OcrEngines()

    assert isinstance(engines.select("rapidocr"), RapidOcr)
    assert isinstance(engines.select("tesseract"), Tesseract)
    monkeypatch.setenv("PATH", "/nowhere")
    assert isinstance(engines.select("auto"), RapidOcr if is_installed() else Tesseract)


@pytest.mark.skipif(is_installed(), reason="RapidOCR is installed here")
async def test_missing_rapid_ocr_is_reported_with_the_remedy() -> None:
    with pytest.raises(Rejected, match=r"install signalbox-pipelines\[rapidocr\]") as missing:
        await RapidOcr().fingerprint(("en",))

    assert (missing.value.stable_code, missing.value.field) == ("ocr_missing", "engine")


@pytest.mark.skipif(not is_installed(), reason="the extra is not installed: pip install rapidocr onnxruntime")
async def test_rapidocr_reads_a_scan() -> None:
    paper = write_paper(1, 1)
    pages = open_pages(scan_pdf([paper], 1), "application/pdf", "scan.pdf")
    read = await RapidOcr().read(pages.ocr_image(0), ("en",))
    pages.close()

    assert (await RapidOcr().fingerprint(("en",))).startswith("rapidocr-3.")
    text_read = "".join(read.text.split())
    for expected in ("INVOICE", "billing1@northgate.example.com", "AmountdueEUR4,788.00"):
        assert expected.replace(" ", "") in text_read.replace(":", "")
    assert read.confidence is not None
    assert read.confidence > 90


@pytest.mark.parametrize(
    ("script", "kind", "code"),
    [
        pytest.param("kill -9 $$", Unavailable, "ocr_crashed", id="killed by a signal"),
        pytest.param("echo 'no such format' >&2; exit 3", Rejected, "ocr_refused", id="rejects the image"),
    ],
)
async def test_a_failing_ocr_process_is_reported_with_the_name_of_the_engine(
    script: str, kind: type[Exception], code: str
) -> None:
    with pytest.raises(kind, match="Engine X") as ended:
        await OcrProcessPool("Engine X").run(["sh", "-c", script], b"")

    assert isinstance(ended.value, SignalboxError)
    assert ended.value.stable_code == code
