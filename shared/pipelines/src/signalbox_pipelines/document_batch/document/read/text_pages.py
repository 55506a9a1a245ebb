"""Plain text as pages: a form feed starts a new page."""

import contextlib

from signalbox_pipelines.document_batch.document.read.pages import PageContent


class TextPages:
    """Pages of a plain text file."""

    def __init__(self, body: bytes, _name: str) -> None:
        self._pages = _decode(body).split("\f")
        self.page_count = len(self._pages)

    def content(self, index: int) -> PageContent:
        return PageContent(text=self._pages[index].strip(), needs_ocr=False)

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
