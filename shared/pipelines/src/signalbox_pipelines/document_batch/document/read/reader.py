"""Reading a document page by page. Each page is stored as soon as it is read, so another attempt goes on at the next one."""

import asyncio
import contextlib
import hashlib
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import msgspec
from msgspec import Struct
from PIL import Image

from signalbox_core.errors import NotFound, Rejected
from signalbox_core.objects import ObjectStore
from signalbox_pipelines.document_batch.document.contract import Engine, Language
from signalbox_pipelines.document_batch.document.messages import PageText, ReadBy
from signalbox_pipelines.document_batch.document.ocr.recognition import Recogniser, weighted
from signalbox_pipelines.document_batch.document.read import media_types
from signalbox_pipelines.document_batch.document.read.image_pages import (
    count_frames,
    frame_picture,
    frame_view,
)
from signalbox_pipelines.document_batch.document.read.pdf import DPI, Pdf

VERSION: Final = "2"
MAX_PAGES: Final = 200
MIN_LAYER_CHARS: Final = 12
"""A page with a picture and less text than this is a scan with a stamp on it."""

_LAYERS_AT_ONCE: Final = 20
"""Text layers read in one go to a thread: going there costs as much as reading one."""

OnPage = Callable[[int, int, PageText], None]


class LayeredPage(Struct, frozen=True, kw_only=True):
    """A page as the file gives it: its text, and whether its picture is to be read instead."""

    text: str
    needs_ocr: bool


class Pages(Protocol):
    """The pages of one open document; the methods block, so they run in threads."""

    page_count: int

    def layer(self, index: int) -> LayeredPage: ...

    def picture(self, index: int) -> bytes: ...

    def view(self, index: int) -> Image.Image | None:
        """The page in colour, for people; None where there is nothing to look at."""
        ...

    def close(self) -> None: ...


class PdfPages:
    def __init__(self, pdf: Pdf) -> None:
        self._pdf = pdf
        self.page_count = pdf.page_count

    def layer(self, index: int) -> LayeredPage:
        page = self._pdf.read(index, enough_chars=MIN_LAYER_CHARS)
        return LayeredPage(text=page.text, needs_ocr=page.has_picture)

    def picture(self, index: int) -> bytes:
        return self._pdf.picture(index)

    def view(self, index: int) -> Image.Image:
        return self._pdf.view(index)

    def close(self) -> None:
        self._pdf.close()


class PicturePages:
    def __init__(self, body: bytes, name: str) -> None:
        self._body = body
        self._name = name
        self.page_count = count_frames(body, name)

    def layer(self, index: int) -> LayeredPage:  # noqa: ARG002 - the protocol's
        return LayeredPage(text="", needs_ocr=True)

    def picture(self, index: int) -> bytes:
        return frame_picture(self._body, index, self._name)

    def view(self, index: int) -> Image.Image:
        return frame_view(self._body, index, self._name)

    def close(self) -> None:
        """Nothing is held open."""


class TextPages:
    """Plain text; a form feed begins a page."""

    def __init__(self, body: bytes) -> None:
        self._pages = _decode(body).split("\f")
        self.page_count = len(self._pages)

    def layer(self, index: int) -> LayeredPage:
        return LayeredPage(text=self._pages[index].strip(), needs_ocr=False)

    def picture(self, index: int) -> bytes:
        # Nobody asks: a layer that needs no OCR is never drawn.
        raise ValueError(f"page {index} is text and has no picture")

    def view(self, index: int) -> None:
        """Nothing: plain text has no look of its own."""

    def close(self) -> None:
        """Nothing is held open."""


def open_pages(body: bytes, media_type: str, name: str) -> Pages:
    """Open a document; close it when done.

    Raises:
        Rejected: `password_needed`, `damaged_document`, `too_many_pixels` or `too_many_pages`.
    """
    pages: Pages
    if media_type == media_types.PDF:
        pages = PdfPages(Pdf(body, name))
    else:
        pages = TextPages(body) if media_type == media_types.TEXT else PicturePages(body, name)
    if pages.page_count > MAX_PAGES:
        pages.close()
        detail = f"{name} has {pages.page_count} pages, at most {MAX_PAGES} are read; split it"
        raise Rejected(detail, field="url", code="too_many_pages")
    return pages


class Reader:
    """Reads pages and keeps them under `prefix`.

    Args:
        prefix: of the document's content and tenant; the engine's identity is added for pages that need one.
    """

    def __init__(
        self,
        objects: ObjectStore,
        recogniser: Recogniser,
        prefix: str,
        languages: Sequence[Language],
        engine: Engine,
    ) -> None:
        self._objects = objects
        self._recogniser = recogniser
        self._prefix = prefix
        self._languages = languages
        self._engine = engine

    async def read_all(self, pages: Pages, on_page: OnPage) -> list[PageText]:
        """Every page in order; what an earlier attempt stored is not read again."""
        found: list[PageText] = []
        for start in range(0, pages.page_count, _LAYERS_AT_ONCE):
            some = range(start, min(start + _LAYERS_AT_ONCE, pages.page_count))
            layers = await asyncio.to_thread(_layers, pages, some)
            for index, layer in zip(some, layers, strict=True):
                found.append(await self._page(pages, index, layer))
                on_page(index + 1, pages.page_count, found[-1])
        return found

    async def _page(self, pages: Pages, index: int, layer: LayeredPage) -> PageText:
        if not layer.needs_ocr:
            # The text layer costs a millisecond: less than looking whether it is stored.
            return PageText(
                number=index + 1, text=layer.text, read_by="text layer" if layer.text else "blank"
            )
        key = f"{self._prefix}/{await self._identity(index)}/{index + 1:05}.json"
        with contextlib.suppress(NotFound):
            return msgspec.json.decode(await self._objects.get(key), type=PageText)
        picture = await asyncio.to_thread(pages.picture, index)
        read = await self._recogniser.read(picture, self._languages)
        read_by: ReadBy = "ocr" if read.text else "blank"
        page = PageText(
            number=index + 1, text=read.text, read_by=read_by, confidence=read.confidence, words=read.words
        )
        await self._objects.put_new(key, msgspec.json.encode(page), "application/json")
        return page

    async def _identity(self, index: int) -> str:
        if self._engine == "none":
            detail = f"page {index + 1} is a picture, and OCR is switched off; set engine to auto, or give a document with a text layer"
            raise Rejected(detail, field="engine", code="ocr_missing")
        return f"{await self._recogniser.identity(self._languages)}-{DPI}dpi-v{VERSION}"


def _layers(pages: Pages, some: range) -> list[LayeredPage]:
    return [pages.layer(index) for index in some]


def digest_of(pages: Sequence[PageText]) -> str:
    return hashlib.sha256(msgspec.json.encode(pages)).hexdigest()


def mean_confidence(pages: Sequence[PageText]) -> float | None:
    """Of the pages read by OCR, weighted by their length."""
    return weighted([(len(page.text), page.confidence) for page in pages if page.confidence is not None])


def _decode(body: bytes) -> str:
    for name in ("utf-8-sig", "utf-16") if body[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig",):
        with contextlib.suppress(UnicodeDecodeError):
            return body.decode(name)
    return body.decode("cp1258", "replace")
