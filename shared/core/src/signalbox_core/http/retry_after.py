"""Parsing of `Retry-After` (RFC 9110 §10.2.3). Pure; callers choose their own default and lower limits."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

MAX_RETRY_AFTER_S: Final = 3600.0
"""A server that requests a longer delay is called again after this one, so that no run waits for years."""
_MAX_DIGITS: Final = 10


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds to wait according to the `retry-after` header; None when it is absent or unreadable."""
    return parse_retry_after(headers.get("retry-after", ""), now)


def parse_retry_after(text: str, now: datetime) -> float | None:
    """Seconds to wait according to a header's value, which is a number of seconds or a date.

    Returns:
        0 to MAX_RETRY_AFTER_S; None when the value is unreadable. A date without a zone is taken as UTC.
    """
    text = text.strip()
    if text.isascii() and text.isdecimal():
        return min(float(text), MAX_RETRY_AFTER_S) if len(text) <= _MAX_DIGITS else None
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    wait_s = ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()
    return min(max(0.0, wait_s), MAX_RETRY_AFTER_S)
