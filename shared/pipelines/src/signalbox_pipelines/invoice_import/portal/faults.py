"""What an answer of the portal that is no success means, and what to do about it. Pure.

| Answer | Fault | What then |
| --- | --- | --- |
| 401, 403 without the firewall's words | SessionOver | a person signs in again; go on at the cursor |
| 403 with them | Blocked | stop all requests for this taxpayer, tell a person |
| 400 | BadRequest | final; the portal's own message says why |
| 404 | NotFound | final for this invoice |
| 500 "no original" | NoOriginal | a result, no failure |
| 429 | RateLimited | all workers cool down together |
| 500 within a second | Refused | a parameter was rejected: a smaller page once, then final |
| other 5xx, silence, a cut | Busy (a cut: CutBody) | slower, and again |
| 200 of another shape | Drift | final: the portal has changed |
| a row of another taxpayer | Mismatch | final |
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct

from signalbox_core.errors import NotFound, RateLimited, Rejected, SignalboxError, Unavailable
from signalbox_core.http.retry_after import retry_after_s

FAST_S: Final = 1.0
"""A 500 within this time was refused at the door; a slow one is a portal with too much to do."""
DEFAULT_WAIT_S: Final = 15.0
_FIREWALL: Final = "hành vi không hợp lệ"
_NO_ORIGINAL: Final = "không tồn tại hồ sơ gốc"
_MESSAGE_CHARS: Final = 300


class SessionOver(Rejected):
    """The token is no longer taken."""

    code = "session_over"


class Blocked(Rejected):
    """The portal's firewall calls our requests illegitimate; more of them make it worse."""

    code = "portal_blocked"


class BadRequest(Rejected):
    """The portal names what is wrong with the request."""

    code = "portal_bad_request"


class Refused(Rejected):
    """The portal refuses a parameter without saying which."""

    code = "portal_refused"


class NoOriginal(Rejected):
    """The portal keeps no signed file of this invoice."""

    code = "no_original"


class Drift(Rejected):
    """The portal answers in another shape than it is known to."""

    code = "contract_drift"


class Mismatch(Rejected):
    """The portal gave another taxpayer's invoice."""

    code = "tenant_mismatch"


class Busy(Unavailable):
    """The portal is slow, broken or silent; the same may succeed later."""

    code = "portal_busy"


class CutBody(Busy):
    """The answer broke off in the middle: usually a page too large for the portal."""

    code = "portal_cut"


class Answer(Struct, frozen=True, kw_only=True):
    """What came back, and how long it took from the first byte sent to the last one read."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    took_s: float


class _Said(Struct, frozen=True):
    """The portal's error body; of its members only these are for people."""

    message: str | None = None
    error_description: str | None = None


def fault_of(answer: Answer, now: datetime) -> SignalboxError | None:
    """The fault that an answer is; None when its status is a success."""
    if 200 <= answer.status < 300:
        return None
    if answer.status == 429:
        return too_many(answer.headers, now)
    said = said_in(answer.body)
    return _callers_fault(answer.status, said) if answer.status < 500 else _server_fault(answer, said)


def _callers_fault(status: int, said: str) -> SignalboxError:
    if status == 403 and _FIREWALL in said.lower():
        return Blocked(
            "the portal's firewall blocks our requests; wait some hours, then look whether a browser can sign in"
        )
    if status in (401, 403):
        return SessionOver("the portal's session is over; sign in again", status=status, said=said)
    if status == 404:
        return NotFound("the portal does not know it (404)", code="portal_not_found")
    return BadRequest(
        f"the portal refuses the request ({status}): {said or 'it does not say why'}", status=status
    )


def _server_fault(answer: Answer, said: str) -> SignalboxError:
    if _NO_ORIGINAL in said.lower():
        return NoOriginal("the portal keeps no original of this invoice")
    if answer.status == 500 and answer.took_s < FAST_S:
        return Refused(f"the portal refuses a parameter (500): {said or 'it does not say which'}")
    return Busy(f"the portal has a problem of its own ({answer.status})", status=answer.status)


def too_many(headers: Mapping[str, str], now: datetime) -> RateLimited:
    told = retry_after_s(headers, now)
    return RateLimited(
        "the portal asks to slow down",
        retry_after_s=DEFAULT_WAIT_S if told is None else told,
        is_told=told is not None,
    )


def said_in(body: bytes) -> str:
    """The message of an error body, cut; empty when there is none."""
    try:
        said = msgspec.json.decode(body, type=_Said)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
    return re.sub(r"\s+", " ", said.message or said.error_description or "").strip()[:_MESSAGE_CHARS]
