"""An open document whose pages are read in processes of the CPU pool, a batch of pages per call.

Each call opens the document again, so that nothing stays open between calls and a call may be killed.
"""

import io
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final, TypeVar

from PIL import Image

from signalbox_core.pipeline.activity import current_tenant
from signalbox_core.process.cpu_pool import CpuPool
from signalbox_pipelines.document_batch.document.read.formats import open_pages
from signalbox_pipelines.document_batch.document.read.limits import check_text_bytes
from signalbox_pipelines.document_batch.document.read.media_types import PDF, TEXT, XML
from signalbox_pipelines.document_batch.document.read.pages import DocumentPages, PageContent
from signalbox_pipelines.document_batch.document.read.pdf import PdfPages
from signalbox_pipelines.document_batch.document.structured.reader import (
    StructuredData,
    read_attachment,
    read_einvoice,
)

R = TypeVar("R")
CALL_WITHIN: Final = timedelta(seconds=45)
"""Computing time of one batch of pages."""
_QUALITY: Final = 72


class OpenDocument:
    """The pages of one document. Page indexes start at 0."""

    def __init__(self, cpu: CpuPool, body: bytes, media_type: str, name: str, page_count: int) -> None:
        self._cpu = cpu
        self._source = (body, media_type, name)
        self.name = name
        self.page_count = page_count

    async def contents(self, indexes: Sequence[int]) -> list[PageContent]:
        """Read text layers."""
        return await self._call(_contents, indexes)

    async def ocr_images(self, indexes: Sequence[int]) -> list[bytes]:
        """Render pages for OCR; pass few, since an image has megabytes."""
        return await self._call(_ocr_images, indexes)

    async def previews(self, indexes: Sequence[int]) -> list[tuple[bytes, int, int] | None]:
        """Draw pages for people: JPEG, width and height; None for formats without a layout."""
        return await self._call(_previews, indexes)

    async def structured_data(self) -> StructuredData:
        """Read the electronic invoice that the document is or has attached, if any."""
        if self._source[1] not in (PDF, XML):
            return StructuredData()
        return await _run(self._cpu, read_structured_data, *self._source)

    async def _call(self, work: Callable[[DocumentPages, Sequence[int]], R], indexes: Sequence[int]) -> R:
        return await _run(self._cpu, _with_pages, self._source, work, indexes)


async def open_document(cpu: CpuPool, body: bytes, media_type: str, name: str) -> OpenDocument:
    """Open a document.

    Args:
        media_type: one that `check_media_type` returned.

    Raises:
        Rejected: as `open_pages`.
        LimitExceeded: opening it takes too long, or too much memory.
    """
    if media_type == TEXT:
        check_text_bytes(len(body), name)
    page_count = await _run(cpu, _page_count, body, media_type, name)
    return OpenDocument(cpu, body, media_type, name, page_count)


async def _run(cpu: CpuPool, work: Callable[..., R], *arguments: Any) -> R:
    return await cpu.run(work, *arguments, tenant=current_tenant(), within=CALL_WITHIN, subject="document")


def _page_count(body: bytes, media_type: str, name: str) -> int:
    pages = open_pages(body, media_type, name)
    try:
        return pages.page_count
    finally:
        pages.close()


def read_structured_data(body: bytes, media_type: str, name: str) -> StructuredData:
    """Read the electronic invoice that an XML document is, or that a PDF has attached, if any.

    Args:
        media_type: PDF or XML.

    Raises:
        Rejected: `damaged_document` or `password_needed`.
    """
    if media_type == XML:
        return StructuredData(invoice=read_einvoice(body, name))
    pages = PdfPages(body, name)
    try:
        return read_attachment(pages.attachments())
    finally:
        pages.close()


def _with_pages(
    source: tuple[bytes, str, str], work: Callable[[DocumentPages, Sequence[int]], R], indexes: Sequence[int]
) -> R:
    pages = open_pages(*source)
    try:
        return work(pages, indexes)
    finally:
        pages.close()


def _contents(pages: DocumentPages, indexes: Sequence[int]) -> list[PageContent]:
    return [pages.content(index) for index in indexes]


def _ocr_images(pages: DocumentPages, indexes: Sequence[int]) -> list[bytes]:
    return [pages.ocr_image(index) for index in indexes]


def _previews(pages: DocumentPages, indexes: Sequence[int]) -> list[tuple[bytes, int, int] | None]:
    return [_draw(pages, index) for index in indexes]


def _draw(pages: DocumentPages, index: int) -> tuple[bytes, int, int] | None:
    preview = pages.preview(index)
    return None if preview is None else (_jpeg(preview), preview.width, preview.height)


def _jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()
