"""Plain text as pages: a form feed starts a new page."""

import contextlib

from signalbox_pipelines.document_batch.document.read.limits import (
    check_page_chars,
    check_page_count,
    check_text_bytes,
)
from signalbox_pipelines.document_batch.document.read.pages import PageContent


class TextPages:
    """Pages of a plain text file.

    Raises:
        Rejected: `document_too_long`, `too_many_pages`, or `page_too_long` for one page.
    """

    def __init__(self, body: bytes, name: str) -> None:
        check_text_bytes(len(body), name)
        self._name = name
        text = _decode(body)
        # Counted before it is split: a file of form feeds would be millions of pages.
        self.page_count = text.count("\f") + 1
        check_page_count(self.page_count, name)
        self._pages = text.split("\f")

    def content(self, index: int) -> PageContent:
        text = self._pages[index].strip()
        check_page_chars(len(text), index, self._name)
        return PageContent(text=text, needs_ocr=False)

    def ocr_image(self, index: int) -> bytes:
        raise ValueError(f"page {index} is plain text and has no image")

    def preview(self, index: int) -> None:
        """Plain text has no layout to show."""

    def close(self) -> None:
        """Nothing is held open."""


def _decode(body: bytes) -> str:
    has_utf16_mark = body[:2] in (b"\xff\xfe", b"\xfe\xff")
    for encoding in ("utf-8-sig", "utf-16") if has_utf16_mark else ("utf-8-sig",):
        with contextlib.suppress(UnicodeDecodeError):
            return body.decode(encoding)
    return body.decode("cp1258", "replace")
