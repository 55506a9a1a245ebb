"""What an unsuccessful response of the portal means, and how to react. Pure.

| Response | Fault | Reaction |
| --- | --- | --- |
| 401, or 403 without the firewall's text | SessionExpired | sign in again, continue where it stopped |
| 403 with the firewall's text | PortalBlocked | stop all requests for this taxpayer, ask a person |
| 400 | PortalBadRequest | final; the portal's own message gives the reason |
| 404 | NotFound | final for this invoice |
| 500 "no original" | NoOriginal | a normal result |
| 429 | RateLimited | all workers pause together |
| 500 within a second | ParameterRejected | retry twice with a smaller page, then final |
| other 5xx, time-out, truncated response | PortalBusy (TruncatedResponse) | slow down, retry |
| 200 of another shape | UnexpectedResponse | final: the portal has changed |
| an invoice of another taxpayer | WrongTaxpayer | final |
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
"""A 500 within this time is a rejected parameter; a slower one is an overloaded portal."""
DEFAULT_WAIT_S: Final = 15.0
_FIREWALL: Final = "hành vi không hợp lệ"
_NO_ORIGINAL: Final = "không tồn tại hồ sơ gốc"
_MESSAGE_CHARS: Final = 300


class SessionExpired(Rejected):
    """The session token is no longer accepted."""

    code = "session_over"


class PortalBlocked(Rejected):
    """The portal's firewall blocks our requests; more of them would prolong it."""

    code = "portal_blocked"


class PortalBadRequest(Rejected):
    """The portal rejects the request and gives a reason."""

    code = "portal_bad_request"


class ParameterRejected(Rejected):
    """The portal rejects a parameter without naming it."""

    code = "portal_refused"


class NoOriginal(Rejected):
    """The portal has no signed file for this invoice."""

    code = "no_original"


class UnexpectedResponse(Rejected):
    """The portal's response has an unknown shape."""

    code = "contract_drift"


class WrongTaxpayer(Rejected):
    """The portal returned an invoice of another taxpayer."""

    code = "tenant_mismatch"


class PortalBusy(Unavailable):
    """The portal is overloaded or does not respond; a retry may succeed."""

    code = "portal_busy"


class TruncatedResponse(PortalBusy):
    """The response was cut off: usually a page that is too large for the portal."""

    code = "portal_cut"


class PortalResponse(Struct, frozen=True, kw_only=True):
    """An HTTP response. `took_s` is from sending the first byte to reading the last one."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    took_s: float


class _ErrorBody(Struct, frozen=True):
    """The members of the portal's error body that are shown to people."""

    message: str | None = None
    error_description: str | None = None


def classify_response(response: PortalResponse, now: datetime) -> SignalboxError | None:
    """Map a response to its error; None when the status is a success."""
    if 200 <= response.status < 300:
        return None
    if response.status == 429:
        return rate_limited(response.headers, now)
    message = error_message(response.body)
    return (
        _client_error(response.status, message) if response.status < 500 else _server_error(response, message)
    )


def _client_error(status: int, message: str) -> SignalboxError:
    if status == 403 and _FIREWALL in message.lower():
        return PortalBlocked(
            "the portal's firewall blocks our requests; "
            "wait some hours, then check whether a browser can sign in"
        )
    if status in (401, 403):
        return SessionExpired("the portal session has expired; sign in again", status=status, said=message)
    if status == 404:
        return NotFound("the portal does not have this invoice or page (404)", code="portal_not_found")
    return PortalBadRequest(
        f"the portal rejected the request ({status}): {message or 'no reason given'}", status=status
    )


def _server_error(response: PortalResponse, message: str) -> SignalboxError:
    if _NO_ORIGINAL in message.lower():
        return NoOriginal("the portal has no original of this invoice")
    if response.status == 500 and response.took_s < FAST_S:
        return ParameterRejected(f"the portal rejected a parameter (500): {message or 'it does not name it'}")
    return PortalBusy(f"the portal failed ({response.status})", status=response.status)


def rate_limited(headers: Mapping[str, str], now: datetime) -> RateLimited:
    wait_s = retry_after_s(headers, now)
    return RateLimited(
        "the portal asked to slow down",
        retry_after_s=DEFAULT_WAIT_S if wait_s is None else wait_s,
        is_told=wait_s is not None,
    )


def error_message(body: bytes) -> str:
    """Return the message of an error body, shortened; empty when there is none."""
    try:
        error_body = msgspec.json.decode(body, type=_ErrorBody)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
    return re.sub(r"\s+", " ", error_body.message or error_body.error_description or "").strip()[
        :_MESSAGE_CHARS
    ]
