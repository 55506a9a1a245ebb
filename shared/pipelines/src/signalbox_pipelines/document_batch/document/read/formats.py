"""Which class reads which media type."""

from collections.abc import Callable, Mapping
from typing import Final

from signalbox_core.errors import Rejected
from signalbox_pipelines.document_batch.document.read.einvoice_pages import EInvoicePages
from signalbox_pipelines.document_batch.document.read.image_pages import ImagePages
from signalbox_pipelines.document_batch.document.read.limits import check_page_count
from signalbox_pipelines.document_batch.document.read.media_types import IMAGES, PDF, TEXT, XML
from signalbox_pipelines.document_batch.document.read.pages import DocumentPages
from signalbox_pipelines.document_batch.document.read.pdf import PdfPages
from signalbox_pipelines.document_batch.document.read.text_pages import TextPages

OPENERS: Final[Mapping[str, Callable[[bytes, str], DocumentPages]]] = {
    PDF: PdfPages,
    TEXT: TextPages,
    XML: EInvoicePages,
    **dict.fromkeys(IMAGES, ImagePages),
}
"""From media type to a function of (body, document name)."""


def open_pages(body: bytes, media_type: str, name: str) -> DocumentPages:
    """Open a document. The caller closes it.

    Args:
        media_type: one that `check_media_type` returned.
        name: the document's name, for error messages.

    Raises:
        Rejected: `password_needed`, `damaged_document`, `too_many_pixels`, `too_many_pages` or
            `document_too_long`.
    """
    pages = OPENERS[media_type](body, name)
    try:
        check_page_count(pages.page_count, name)
    except Rejected:
        pages.close()
        raise
    return pages
