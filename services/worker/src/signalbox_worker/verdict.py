"""What an answer of the receiver means for the event that was sent. Pure."""

import random
from enum import StrEnum
from typing import Final

import msgspec

_REFUSED: Final = frozenset({400, 411, 413, 415, 422})
# The receiver's conflicts that a new signature or a moment's patience cures; its others are facts about the event.
_PASSING_CONFLICTS: Final = frozenset({"in_flight", "nonce_replayed"})
FIRST_WAIT_S: Final = 0.05
LONGEST_WAIT_S: Final = 2.0


class _Problem(msgspec.Struct, frozen=True, kw_only=True):
    code: str


class Verdict(StrEnum):
    ACCEPTED = "accepted"
    LATER = "later"
    """The receiver is busy or broken; the same event may be accepted later."""
    REFUSED = "refused"
    """The event itself is wrong and will be refused for ever."""
    MISCONFIGURED = "misconfigured"
    """Key, tenant or address are wrong: no fault of the event, so it waits until someone repairs that."""


def verdict_of(status: int, code: str | None = None) -> Verdict:
    """Judge an answer. Only a fault of the event itself loses it; a wrong key must not cost a single one.

    Args:
        code: the problem's stable code, None when the answer is no problem of the receiver (a proxy's, for example).
    """
    if 200 <= status < 300:
        return Verdict.ACCEPTED
    if status == 409 and code is not None and code not in _PASSING_CONFLICTS:
        return Verdict.REFUSED
    if status in _REFUSED:
        return Verdict.REFUSED
    if status in (408, 409, 425, 429) or status >= 500:
        return Verdict.LATER
    return Verdict.MISCONFIGURED


def problem_code(body: bytes) -> str | None:
    """The stable code of a problem (RFC 9457) in an answer's body; None when it is none."""
    try:
        return msgspec.json.decode(body, type=_Problem).code
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def wait_before(attempt: int, chance: random.Random) -> float:
    """Seconds before attempt 2, 3, …: exponential with full jitter, so many workers do not come back at one moment."""
    ceiling = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(attempt, 30))
    return chance.uniform(ceiling / 2, ceiling)
