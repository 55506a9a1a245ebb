"""Which class reads which media type, and the limit on pages that holds for all of them."""

from collections.abc import Callable, Mapping
from typing import Final

from signalbox_core.errors import Rejected
from signalbox_pipelines.document_batch.document.read.image_pages import ImagePages
from signalbox_pipelines.document_batch.document.read.media_types import IMAGES, PDF, TEXT
from signalbox_pipelines.document_batch.document.read.pages import DocumentPages
from signalbox_pipelines.document_batch.document.read.pdf import PdfPages
from signalbox_pipelines.document_batch.document.read.text_pages import TextPages

MAX_PAGES: Final = 200

OPENERS: Final[Mapping[str, Callable[[bytes, str], DocumentPages]]] = {
    PDF: PdfPages,
    TEXT: TextPages,
    **dict.fromkeys(IMAGES, ImagePages),
}
"""From media type to a function of (body, document name)."""


def open_pages(body: bytes, media_type: str, name: str) -> DocumentPages:
    """Open a document. The caller closes it.

    Args:
        media_type: one that `check_media_type` returned.
        name: the document's name, for error messages.

    Raises:
        Rejected: `password_needed`, `damaged_document`, `too_many_pixels` or `too_many_pages`.
    """
    pages = OPENERS[media_type](body, name)
    if pages.page_count > MAX_PAGES:
        pages.close()
        detail = f"{name} has {pages.page_count} pages, at most {MAX_PAGES} are read; split it"
        raise Rejected(detail, field="url", code="too_many_pages")
    return pages
