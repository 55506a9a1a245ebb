"""`Retry-After` in every form that servers send, the wrong ones included."""

from datetime import UTC, datetime

import pytest

from signalbox_core.errors import RateLimited
from signalbox_core.http.fetch.responses import refusal
from signalbox_core.http.retry_after import parse_retry_after, retry_after_s

NOW = datetime(2026, 8, 1, 3, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        (" 120 ", 120.0),
        ("Sat, 01 Aug 2026 03:00:05 GMT", 5.0),
        ("Sat, 01 Aug 2026 03:00:05", 5.0),
        ("Sat, 01 Aug 2026 02:59:00 GMT", 0.0),
        ("3601", 3600.0),
        ("9999999999", 3600.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600.0),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("\N{SUPERSCRIPT TWO}", None),
        ("9" * 400, None),
        ("9" * 5_000, None),
        ("Sat, 01 Aug 99999999999999999999 03:00:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_or_nothing(text: str, seconds: float | None) -> None:
    assert parse_retry_after(text, NOW) == seconds
    assert retry_after_s({"retry-after": text}, NOW) == seconds


def test_an_absent_header_is_nothing() -> None:
    assert retry_after_s({}, NOW) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("7", 7.0), ("86400", 3600.0), ("0", 1.0), ("", 30.0), ("\N{SUPERSCRIPT TWO}", 30.0)],
)
def test_a_fetch_that_is_rate_limited_waits_for_one_second_to_an_hour(text: str, seconds: float) -> None:
    error = refusal("https://example.com", 429, text, "url")
    assert isinstance(error, RateLimited)
    assert error.retry_after_s == seconds
