"""Errors as `application/problem+json` (RFC 9457): the one table from stable codes to HTTP statuses.

Nothing that a caller sent is repeated in a problem; what a forger could learn from is logged and counted instead.
"""

import math
from typing import Final

import msgspec
from starlette.responses import Response

from signalbox_core.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    InvalidSignature,
    NotFound,
    RateLimited,
    Rejected,
    SignalboxError,
    Unavailable,
)
from signalbox_core.signatures.profile import ACCEPT_SIGNATURE

_STATUS_OF_CODE: Final = {
    "malformed_request": 400,
    "malformed_json": 400,
    "signature_malformed": 400,
    "digest_malformed": 400,
    "digest_mismatched": 400,
    "digest_unsupported": 400,
    "method_not_allowed": 405,
    "request_timeout": 408,
    "payload_too_large": 413,
    "unsupported_media_type": 415,
    "misdirected_request": 421,
    "headers_too_large": 431,
}
_STATUS_OF_CLASS: Final[tuple[tuple[type[SignalboxError], int], ...]] = (
    (InvalidInput, 422),
    (InvalidSignature, 401),
    (Forbidden, 403),
    (NotFound, 404),
    (Conflict, 409),
    (RateLimited, 429),
    (Unavailable, 503),
    (Rejected, 400),
)
TITLES: Final = {
    400: "Bad request",
    401: "Signature not accepted",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    408: "Request timeout",
    409: "Conflict",
    413: "Payload too large",
    415: "Unsupported media type",
    421: "Misdirected request",
    422: "Invalid event",
    429: "Too many requests",
    431: "Header fields too large",
    500: "Internal error",
    503: "Unavailable",
}
_UNAVAILABLE_RETRY_S: Final = 2


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of an error (RFC 9457 §3.1); `code` is stable, `field` names the input at fault."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    field: str | None = None


def status_of(error: SignalboxError) -> int:
    """The HTTP status of an error: by its own code first, else by its class."""
    by_class = (status for kind, status in _STATUS_OF_CLASS if isinstance(error, kind))
    return _STATUS_OF_CODE.get(error.stable_code) or next(by_class, 500)


def problem_response(error: SignalboxError) -> Response:
    """The answer for an error, with the headers its status calls for."""
    status = status_of(error)
    return _response(status, error.stable_code, error.detail, error.field, _headers(status, error))


def internal_problem() -> Response:
    """The answer for a bug: says nothing about it; the log does."""
    return _response(
        500,
        "internal_error",
        "this is our fault and has been logged; the same delivery may be sent again",
        None,
        {},
    )


def _response(status: int, code: str, detail: str, field: str | None, headers: dict[str, str]) -> Response:
    name = code.replace("_", "-")
    problem = Problem(
        type=f"urn:signalbox:problem:{name}",
        title=TITLES[status],
        status=status,
        detail=detail,
        code=code,
        field=field,
    )
    return Response(
        msgspec.json.encode(problem),
        status_code=status,
        media_type="application/problem+json",
        headers=headers,
    )


def _headers(status: int, error: SignalboxError) -> dict[str, str]:
    if status == 401:
        return {"WWW-Authenticate": 'Signature realm="signalbox"', "Accept-Signature": ACCEPT_SIGNATURE}
    if status == 405:
        return {"Allow": str(error.facts.get("allow", "POST"))}
    closing = {"Connection": "close"} if error.stable_code == "draining" else {}
    retry_after_s = _retry_after_s(status, error)
    return closing | ({"Retry-After": str(retry_after_s)} if retry_after_s else {})


def _retry_after_s(status: int, error: SignalboxError) -> int:
    if isinstance(error, RateLimited):
        return max(1, math.ceil(error.retry_after_s))
    if error.stable_code in ("draining", "in_flight"):
        return 1
    return _UNAVAILABLE_RETRY_S if status == 503 else 0
