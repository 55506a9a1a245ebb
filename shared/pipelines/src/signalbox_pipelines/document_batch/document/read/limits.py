"""Limits on a document. Each is checked before the work that it bounds."""

from typing import Final

from signalbox_core.errors import Rejected

MAX_PAGES: Final = 200
MAX_PAGE_CHARS: Final = 200_000
MAX_DOCUMENT_CHARS: Final = 2_500_000
MAX_TEXT_BYTES: Final = 10_000_000
"""Of a plain text file."""


def check_page_count(count: int, name: str) -> None:
    """Raises: Rejected: `too_many_pages`."""
    if count > MAX_PAGES:
        detail = f"{name} has {count} pages, at most {MAX_PAGES} are read; split it"
        raise Rejected(detail, field="url", code="too_many_pages")


def check_page_chars(chars: int, index: int, name: str) -> None:
    """Raises: Rejected: `page_too_long`."""
    if chars > MAX_PAGE_CHARS:
        detail = (
            f"page {index + 1} of {name} has {chars:,} characters, at most {MAX_PAGE_CHARS:,} are read; "
            "divide it into pages (a form feed starts a new page of a text file)"
        )
        raise Rejected(detail, field="url", code="page_too_long")


def check_document_chars(chars: int, name: str) -> None:
    """Raises: Rejected: `document_too_long`."""
    if chars > MAX_DOCUMENT_CHARS:
        detail = f"{name} has more than {MAX_DOCUMENT_CHARS:,} characters; split it"
        raise Rejected(detail, field="url", code="document_too_long")


def check_text_bytes(size_bytes: int, name: str) -> None:
    """Raises: Rejected: `document_too_long`."""
    if size_bytes > MAX_TEXT_BYTES:
        detail = (
            f"{name} is a text file of {size_bytes:,} bytes, at most {MAX_TEXT_BYTES:,} are read; split it"
        )
        raise Rejected(detail, field="url", code="document_too_long")
