"""Detection of media types from the bytes; a server's Content-Type is only a hint."""

import re
from typing import Final

_MAGIC: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b", "application/gzip"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
)
_PDF_HEADER: Final = re.compile(rb"%PDF-[12]\.\d")
_PDF_HEADER_WITHIN: Final = 1024
"""Readers accept a PDF header after other bytes: a byte order mark, newlines, an HTTP header."""
_VAGUE: Final = frozenset({"", "text/plain", "application/octet-stream", "binary/octet-stream"})
_MARKUP: Final = (
    (b"<!doctype html", "text/html"),
    (b"<html", "text/html"),
    (b"<svg", "image/svg+xml"),
    (b"<?xml", "application/xml"),
)


def media_type_of(body: bytes, declared: str) -> str:
    """The media type: by signature for binary formats, else as declared, unless that is vague or wrong.

    Args:
        declared: the Content-Type header, with or without parameters; may be empty.
    """
    stated = declared.split(";", 1)[0].strip().lower()
    by_signature = _signature(body)
    if by_signature:
        return by_signature
    if b"\0" in body[:1024]:
        return "application/octet-stream"
    return _markup(body) or "text/plain" if stated in _VAGUE or stated.startswith("image/") else stated


def charset_of(declared: str) -> str | None:
    """The `charset` parameter of a Content-Type header."""
    for part in declared.split(";")[1:]:
        name, _, value = part.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip("\"'").lower() or None
    return None


def _signature(body: bytes) -> str | None:
    if body[:4] == b"RIFF" and body[8:12] == b"WEBP":
        return "image/webp"
    if body[4:12] in (b"ftypavif", b"ftypavis"):
        return "image/avif"
    found = next((kind for magic, kind in _MAGIC if body.startswith(magic)), None)
    return found or ("application/pdf" if _is_late_pdf(body) else None)


def _is_late_pdf(body: bytes) -> bool:
    """Whether a PDF starts within the first bytes; its trailer distinguishes it from a text about PDFs."""
    return _PDF_HEADER.search(body, 0, _PDF_HEADER_WITHIN) is not None and b"startxref" in body


def _markup(body: bytes) -> str | None:
    head = body[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith(b"<?xml") and b"<svg" in head:
        return "image/svg+xml"
    return next((kind for start, kind in _MARKUP if head.startswith(start)), None)
