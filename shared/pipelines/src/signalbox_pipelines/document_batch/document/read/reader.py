"""Reading a document page by page: the text layer where there is one, otherwise OCR.

Each OCR page is stored as soon as it is read, so a retry continues at the first page that is not stored.
"""

import contextlib
import hashlib
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from signalbox_core.errors import NotFound, Rejected
from signalbox_core.objects import ObjectStore
from signalbox_pipelines.document_batch.document.contract import Engine, Language
from signalbox_pipelines.document_batch.document.messages import PageText, ReadBy
from signalbox_pipelines.document_batch.document.ocr.engine import OcrEngine, weighted_confidence
from signalbox_pipelines.document_batch.document.read.limits import check_document_chars
from signalbox_pipelines.document_batch.document.read.open_document import OpenDocument
from signalbox_pipelines.document_batch.document.read.pages import PageContent
from signalbox_pipelines.document_batch.document.read.pdf import DPI

VERSION: Final = "3"
"""Part of the key of a stored page. Raise it when the same image would be read differently."""
_CHUNK_PAGES: Final = 20
"""Text layers read per call, which passes the whole document to a process."""
_MAX_IMAGES: Final = 4
"""Images of pages in memory, rendered in one call."""

OnPage = Callable[[int, int, PageText], None]
"""Called after each page with (pages read, page count, the page)."""


class PageReader:
    """Reads the pages of one document and stores those that needed OCR.

    Args:
        prefix: key prefix that identifies tenant and content; the OCR engine's fingerprint is appended.
    """

    def __init__(
        self,
        objects: ObjectStore,
        ocr_engine: OcrEngine,
        prefix: str,
        languages: Sequence[Language],
        engine: Engine,
    ) -> None:
        self._objects = objects
        self._ocr_engine = ocr_engine
        self._prefix = prefix
        self._languages = languages
        self._engine = engine

    async def read_all(self, pages: OpenDocument, on_page: OnPage) -> list[PageText]:
        """Read every page in order; OCR pages stored by an earlier attempt are loaded instead.

        Raises:
            Rejected: `document_too_long` or `page_too_long`; as the OCR engine.
        """
        found: list[PageText] = []
        chars = 0
        for start in range(0, pages.page_count, _CHUNK_PAGES):
            indexes = range(start, min(start + _CHUNK_PAGES, pages.page_count))
            contents = await pages.contents(indexes)
            images = _PageImages(
                pages, [i for i, page in zip(indexes, contents, strict=True) if page.needs_ocr]
            )
            for index, content in zip(indexes, contents, strict=True):
                found.append(await self._read(images, index, content))
                chars += len(found[-1].text)
                check_document_chars(chars, pages.name)
                on_page(index + 1, pages.page_count, found[-1])
        return found

    async def _read(self, images: "_PageImages", index: int, content: PageContent) -> PageText:
        if not content.needs_ocr:
            # Not stored: reading a text layer takes about a millisecond, less than a look-up in the store.
            read_by: ReadBy = "text layer" if content.text else "blank"
            return PageText(number=index + 1, text=content.text, read_by=read_by, unread=content.unread)
        key = f"{self._prefix}/{await self._fingerprint(index)}/{index + 1:05}.json"
        with contextlib.suppress(NotFound):
            return msgspec.json.decode(await self._objects.get(key), type=PageText)
        page = await self._recognise(images, index)
        await self._objects.put_new(key, msgspec.json.encode(page), "application/json")
        return page

    async def _recognise(self, images: "_PageImages", index: int) -> PageText:
        result = await self._ocr_engine.read(await images.take(index), self._languages)
        return PageText(
            number=index + 1,
            text=result.text,
            read_by="ocr" if result.text else "blank",
            confidence=result.confidence,
            words=result.words,
            doubts=result.doubts,
        )

    async def _fingerprint(self, index: int) -> str:
        if self._engine == "none":
            detail = (
                f"page {index + 1} is an image, and OCR is switched off; "
                "set engine to auto, or give a document with a text layer"
            )
            raise Rejected(detail, field="engine", code="ocr_missing")
        return f"{await self._ocr_engine.fingerprint(self._languages)}-{DPI}dpi-v{VERSION}"


class _PageImages:
    """Images of pages in order, rendered a few at a time; those of stored pages are not requested."""

    def __init__(self, pages: OpenDocument, indexes: Sequence[int]) -> None:
        self._pages = pages
        self._indexes = indexes
        self._rendered: dict[int, bytes] = {}

    async def take(self, index: int) -> bytes:
        if index not in self._rendered:
            batch = [other for other in self._indexes if other >= index][:_MAX_IMAGES]
            self._rendered = dict(zip(batch, await self._pages.ocr_images(batch), strict=True))
        return self._rendered.pop(index)


def pages_digest(pages: Sequence[PageText]) -> str:
    return hashlib.sha256(msgspec.json.encode(pages)).hexdigest()


def mean_confidence(pages: Sequence[PageText]) -> float | None:
    """The confidence of the OCR pages, weighted by text length; None without OCR pages."""
    return weighted_confidence(
        [(len(page.text), page.confidence) for page in pages if page.confidence is not None]
    )
