"""What a worker does with a picture, in a module without pytest, which would cost its process memory."""

from signalbox_pipelines.document_batch.document.read.formats import open_pages


def read_and_draw(body: bytes, media_type: str) -> tuple[int, int]:
    """Read and draw a page: the bytes for OCR, and the preview's width."""
    pages = open_pages(body, media_type, "scan")
    preview = pages.preview(0)
    assert preview is not None
    return len(pages.ocr_image(0)), preview.width
