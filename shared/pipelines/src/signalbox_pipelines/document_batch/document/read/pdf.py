"""PDF pages through PDFium: their text layer, images for OCR and previews, and where text stands.

PDFium is not thread-safe, so every call holds one lock per process, including close.
"""

import contextlib
import ctypes
import io
import threading
from collections.abc import Iterator, Sequence
from typing import Final

import pypdfium2 as pdfium
from PIL import Image
from pypdfium2 import raw

from signalbox_core.errors import Rejected
from signalbox_pipelines.document_batch.document.messages import Box, box_of
from signalbox_pipelines.document_batch.document.read.image_pages import PREVIEW_SIZE
from signalbox_pipelines.document_batch.document.read.limits import check_page_chars
from signalbox_pipelines.document_batch.document.read.pages import PageContent
from signalbox_pipelines.document_batch.document.read.picture_cover import picture_cover

DPI: Final = 200
_LOWEST_DPI: Final = 72
_MAX_PIXELS: Final = 40_000_000
_POINTS_PER_INCH: Final = 72
_DEVICE: Final = 100_000
_MAX_ATTACHMENTS: Final = 20
_MAX_NAME_CHARS: Final = 100
_LOCK: Final = threading.Lock()
_PROBLEMS: Final = {
    3: ("damaged_document", "is not a readable PDF (damaged or cut off); send it again, whole"),
    4: ("password_needed", "is protected by a password; give an unprotected copy"),
    5: ("password_needed", "uses a protection that is not supported; give an unprotected copy"),
}


class PdfPages:
    """The pages of an open PDF. Every method takes the lock and computes for long.

    Form fields and notes are merged into their page first, so that their text has its place on the page.

    Raises:
        Rejected: `password_needed` or `damaged_document`.
    """

    def __init__(self, body: bytes, name: str) -> None:
        self._name = name
        with _LOCK:
            try:
                self._document = pdfium.PdfDocument(body)
            except pdfium.PdfiumError as error:
                code, what = _PROBLEMS.get(getattr(error, "err_code", None) or 3, _PROBLEMS[3])
                raise Rejected(f"{name} {what}", field="url", code=code) from error
            if self._document.get_formtype():
                self._document.init_forms()
            self.page_count = len(self._document)
            self._merged: set[int] = set()

    def content(self, index: int) -> PageContent:
        with self._page(index) as page:
            textpage = page.get_textpage()
            try:
                check_page_chars(textpage.count_chars(), index, self._name)
                text = textpage.get_text_range().replace("\r\n", "\n").replace("\ufffe", "-").strip()
                cover = picture_cover(page, textpage, has_text=bool(text))
                return PageContent(text=text, needs_ocr=cover.needs_ocr, unread=cover.unread)
            finally:
                textpage.close()

    def ocr_image(self, index: int) -> bytes:
        """Render the page as a greyscale PNG at 200 dpi, or less when the page is very large.

        Raises:
            Rejected: `page_too_large`.
        """
        with self._page(index) as page:
            dpi = self._fitting_dpi(index, page.get_width(), page.get_height())
            bitmap = page.render(scale=dpi / _POINTS_PER_INCH, grayscale=True)
            try:
                image = bitmap.to_pil().copy()
            finally:
                bitmap.close()
        buffer = io.BytesIO()
        image.save(buffer, "PNG", compress_level=1)
        return buffer.getvalue()

    def preview(self, index: int) -> Image.Image:
        with self._page(index) as page:
            width, height = max(1.0, page.get_width()), max(1.0, page.get_height())
            bitmap = page.render(scale=min(PREVIEW_SIZE[0] / width, PREVIEW_SIZE[1] / height))
            try:
                preview: Image.Image = bitmap.to_pil().convert("RGB")
                return preview
            finally:
                bitmap.close()

    def boxes(self, index: int, spans: Sequence[tuple[int, int]]) -> list[tuple[Box, ...]]:
        """Locate spans of the text that `content` returned: one box per line of each span."""
        with self._page(index) as page:
            textpage = page.get_textpage()
            try:
                places = _places(textpage.get_text_range())
                return [_boxes(page, textpage, places, start, end) for start, end in spans]
            finally:
                textpage.close()

    def attachments(self) -> list[tuple[str, bytes]]:
        """Return the attached XML files, each with its name; a damaged one is left out."""
        found: list[tuple[str, bytes]] = []
        with _LOCK:
            for index in range(min(self._document.count_attachments(), _MAX_ATTACHMENTS)):
                with contextlib.suppress(pdfium.PdfiumError, UnicodeDecodeError):
                    attachment = self._document.get_attachment(index)
                    name = attachment.get_name()
                    if name.lower().endswith(".xml"):
                        found.append((name[:_MAX_NAME_CHARS], bytes(attachment.get_data())))
        return found

    def close(self) -> None:
        with _LOCK:
            self._document.close()

    def _fitting_dpi(self, index: int, width: float, height: float) -> float:
        inches = width * height / _POINTS_PER_INCH**2
        dpi: float = min(DPI, (_MAX_PIXELS / max(inches, 1e-6)) ** 0.5)
        if dpi < _LOWEST_DPI:
            size = f"{width / _POINTS_PER_INCH:.0f} × {height / _POINTS_PER_INCH:.0f} inches"
            detail = (
                f"page {index + 1} of {self._name} is {size}, too large to read; "
                "give it in an ordinary format"
            )
            raise Rejected(detail, field="url", code="page_too_large")
        return dpi

    def _merge_annotations(self, index: int) -> pdfium.PdfPage:
        page = self._document[index]
        if index in self._merged:
            return page
        self._merged.add(index)
        if raw.FPDFPage_Flatten(page, raw.FLAT_NORMALDISPLAY) != raw.FLATTEN_SUCCESS:
            return page
        page.close()
        return self._document[index]

    @contextlib.contextmanager
    def _page(self, index: int) -> Iterator[pdfium.PdfPage]:
        with _LOCK:
            try:
                page = self._merge_annotations(index)
            except pdfium.PdfiumError as error:
                detail = f"page {index + 1} of {self._name} is damaged; send the document again, whole"
                raise Rejected(detail, field="url", code="damaged_document") from error
            try:
                yield page
            finally:
                page.close()


def _places(raw_text: str) -> list[int]:
    """Map each character of the text that `content` returned to its position in PDFium's text."""
    stripped = raw_text.replace("\r\n", "\n").strip()
    kept = [
        place
        for place, sign in enumerate(raw_text)
        if not (sign == "\r" and raw_text[place + 1 : place + 2] == "\n")
    ]
    skipped = len(kept) - len("".join(raw_text[place] for place in kept).lstrip())
    return kept[skipped : skipped + len(stripped)]


def _boxes(
    page: pdfium.PdfPage, textpage: pdfium.PdfTextPage, places: Sequence[int], start: int, end: int
) -> tuple[Box, ...]:
    if not 0 <= start < end <= len(places):
        return ()
    first, last = places[start], places[end - 1]
    count = textpage.count_rects(first, last - first + 1)
    return tuple(_on_page(page, *textpage.get_rect(number)) for number in range(count))


def _on_page(page: pdfium.PdfPage, left: float, bottom: float, right: float, top: float) -> Box:
    """Convert PDF points to fractions of the page as displayed: rotated, measured from the top left."""
    one, other = _device_point(page, left, top), _device_point(page, right, bottom)
    return box_of(min(one[0], other[0]), min(one[1], other[1]), max(one[0], other[0]), max(one[1], other[1]))


def _device_point(page: pdfium.PdfPage, x: float, y: float) -> tuple[float, float]:
    across, down = ctypes.c_int(), ctypes.c_int()
    raw.FPDF_PageToDevice(page, 0, 0, _DEVICE, _DEVICE, 0, x, y, ctypes.byref(across), ctypes.byref(down))
    return across.value / _DEVICE, down.value / _DEVICE
