"""What an answer of the receiver means for the event that was sent. Pure."""

import random
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Final

_REFUSED: Final = frozenset({400, 411, 413, 415, 422})
FIRST_WAIT_S: Final = 0.05
LONGEST_WAIT_S: Final = 2.0


class Verdict(StrEnum):
    ACCEPTED = "accepted"
    LATER = "later"
    """The receiver is busy or broken; the same event may be accepted later."""
    REFUSED = "refused"
    """The event itself is wrong and will be refused for ever."""
    MISCONFIGURED = "misconfigured"
    """Key, tenant or address are wrong: no fault of the event, so it waits until someone repairs that."""


def verdict_of(status: int) -> Verdict:
    """Judge an HTTP status. Only a fault of the event itself loses it; a wrong key must not cost a single one."""
    if 200 <= status < 300:
        return Verdict.ACCEPTED
    if status in _REFUSED:
        return Verdict.REFUSED
    if status in (408, 409, 425, 429) or status >= 500:
        return Verdict.LATER
    return Verdict.MISCONFIGURED


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """`Retry-After` in seconds (RFC 9110 §10.2.3: seconds or a date); None when absent or unreadable."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    if text.isdecimal():
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds())


def wait_before(attempt: int, chance: random.Random) -> float:
    """Seconds before attempt 2, 3, …: exponential with full jitter, so many workers do not come back at one moment."""
    ceiling = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(attempt, 30))
    return chance.uniform(ceiling / 2, ceiling)
