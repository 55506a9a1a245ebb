"""What kinds of files are read, judged by their bytes, and what a person is told about the others. Pure."""

from typing import Final
from urllib.parse import unquote, urlsplit

from signalbox_core.errors import Rejected
from signalbox_core.http.fetch.sniff import media_type_of

PDF: Final = "application/pdf"
TEXT: Final = "text/plain"
PICTURES: Final = frozenset({"image/png", "image/jpeg", "image/tiff", "image/webp"})
ACCEPTED: Final = frozenset({PDF, TEXT, *PICTURES})
MAX_BYTES: Final = 50_000_000
_WORDS: Final = {"text/html": "a web page", "application/zip": "an archive", "application/gzip": "an archive"}


def check_media_type(body: bytes, name: str) -> str:
    """The media type of the bytes.

    Raises:
        Rejected: `empty_document`, or `wrong_media_type`: nothing that can be read here.
    """
    if not body:
        raise Rejected(f"{name} is empty; give the document itself", field="url", code="empty_document")
    media_type = media_type_of(body, "")
    if media_type not in ACCEPTED:
        what = _WORDS.get(media_type, media_type)
        raise Rejected(
            f"{name} is {what}; give a PDF, PNG, JPEG, TIFF, WebP or plain text file",
            field="url",
            code="wrong_media_type",
        )
    return media_type


def name_of(given: str, url: str | None, key: str | None) -> str:
    """What to call the document: as given, else the end of its address."""
    if given:
        return given
    last = urlsplit(url).path.rstrip("/").rpartition("/")[2] if url else (key or "").rpartition("/")[2]
    return unquote(last)[:200] or "document"
