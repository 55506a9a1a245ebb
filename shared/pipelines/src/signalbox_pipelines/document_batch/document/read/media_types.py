"""Which media types are read, detected by content, and the errors for all others."""

from typing import Final
from urllib.parse import unquote, urlsplit

from signalbox_core.errors import Rejected
from signalbox_core.http.fetch.sniff import media_type_of
from signalbox_pipelines.document_batch.document.structured.reader import is_einvoice

PDF: Final = "application/pdf"
TEXT: Final = "text/plain"
XML: Final = "application/xml"
IMAGES: Final = frozenset({"image/png", "image/jpeg", "image/tiff", "image/webp"})
ACCEPTED: Final = frozenset({PDF, TEXT, XML, *IMAGES})
MAX_BYTES: Final = 50_000_000
_DESCRIPTIONS: Final = {
    "text/html": "a web page",
    XML: "an XML file that is no UBL or CII invoice",
    "application/zip": "an archive",
    "application/gzip": "an archive",
}


def check_media_type(body: bytes, name: str) -> str:
    """Detect the media type from the bytes; a declared type is never trusted.

    Raises:
        Rejected: `empty_document`, or `wrong_media_type`: a format that is not read.
    """
    if not body:
        raise Rejected(f"{name} is empty; give the document itself", field="url", code="empty_document")
    media_type = media_type_of(body, "")
    if media_type in (XML, TEXT) and is_einvoice(body):
        return XML
    if media_type not in ACCEPTED - {XML}:
        description = _DESCRIPTIONS.get(media_type, media_type)
        raise Rejected(
            f"{name} is {description}; give a PDF, PNG, JPEG, TIFF, WebP or plain text file, "
            "or an electronic invoice as XML (UBL or CII)",
            field="url",
            code="wrong_media_type",
        )
    return media_type


def display_name(given: str, url: str | None, key: str | None) -> str:
    """The given name, or else the last segment of the URL or key."""
    if given:
        return given
    last = urlsplit(url).path.rstrip("/").rpartition("/")[2] if url else (key or "").rpartition("/")[2]
    return unquote(last)[:200] or "document"
