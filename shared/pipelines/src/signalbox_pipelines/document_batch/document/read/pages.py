"""The interface that every file format implements; `reader.py` and `previews.py` use nothing else."""

from typing import Protocol

from msgspec import Struct
from PIL import Image


class PageContent(Struct, frozen=True, kw_only=True):
    """The text layer of a page.

    Attributes:
        needs_ocr: the page must be read by OCR instead.
        unread: what the text layer leaves out, for people; None when nothing.
    """

    text: str
    needs_ocr: bool
    unread: str | None = None


class DocumentPages(Protocol):
    """The pages of one open document. The methods compute for long, so `open_document.py`
    calls them in a process.

    Page indexes start at 0.
    """

    page_count: int

    def content(self, index: int) -> PageContent: ...

    def ocr_image(self, index: int) -> bytes:
        """Render the page as a greyscale PNG for OCR; called only for pages that need it."""
        ...

    def preview(self, index: int) -> Image.Image | None:
        """Render the page in colour for people; None for formats without a layout."""
        ...

    def close(self) -> None: ...
