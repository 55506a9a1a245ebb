"""Problems (RFC 9457), the same in every service: their shape, and the table from error to HTTP status.

Pure; `signalbox_core.http.responses` makes responses of problems, `signalbox_core.http.connection` raw ones.
"""

import math
from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct

from signalbox_core.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    InvalidSignature,
    LimitExceeded,
    NotFound,
    RateLimited,
    Rejected,
    SignalboxError,
    Unavailable,
)

MEDIA_TYPE: Final = "application/problem+json"
UNAVAILABLE_RETRY_S: Final = 2

# The reason phrases of the IANA registry of HTTP status codes.
TITLES: Final[Mapping[int, str]] = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    409: "Conflict",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    421: "Misdirected Request",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
    507: "Insufficient Storage",
}
STATUS_OF_CLASS: Final[Mapping[type[SignalboxError], int]] = {
    InvalidInput: 422,
    InvalidSignature: 401,
    LimitExceeded: 422,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    RateLimited: 429,
    Unavailable: 503,
    Rejected: 422,
    SignalboxError: 500,
}
# What a client raises for a status; other 4xx are Rejected, other 5xx Unavailable.
CLASS_OF_STATUS: Final[Mapping[int, type[SignalboxError]]] = {
    401: Forbidden,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    422: InvalidInput,
    503: Unavailable,
}
# A code that needs another status than its class.
STATUS_OF_CODE: Final[Mapping[str, int]] = {
    "bad_json": 400,
    "malformed_request": 400,
    "malformed_json": 400,
    "signature_malformed": 400,
    "webhook_malformed": 400,
    "digest_malformed": 400,
    "digest_mismatched": 400,
    "digest_unsupported": 400,
    "unauthenticated": 401,
    "method_not_allowed": 405,
    "request_timeout": 408,
    "answer_too_large": 413,
    "body_too_large": 413,
    "payload_too_large": 413,
    "upload_too_large": 413,
    "unsupported_media_type": 415,
    "wrong_content_type": 415,
    "wrong_upload_type": 415,
    "misdirected_request": 421,
    "headers_too_large": 431,
    "storage_full": 507,
}


class FieldError(Struct, frozen=True, kw_only=True):
    """One invalid field: its path (`input.url`) and what to change."""

    field: str
    detail: str


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of an error (RFC 9457).

    Attributes:
        type: identifies the kind of problem; the same in every service.
        code: stable; programs branch on it.
        field: the first invalid field, if the error concerns one; `errors` names all of them.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    field: str | None = None
    errors: tuple[FieldError, ...] = ()


class InvalidFields(InvalidInput):
    """Several fields break their contract; `errors` names each."""

    def __init__(self, errors: tuple[FieldError, ...]) -> None:
        super().__init__(
            "; ".join(f"{error.field}: {error.detail}" for error in errors), field=errors[0].field
        )
        self.errors = errors


def status_of(error: SignalboxError) -> int:
    """The HTTP status of an error: by its code where the code has its own, else by its class."""
    return STATUS_OF_CODE.get(error.stable_code) or next(
        STATUS_OF_CLASS[kind] for kind in type(error).__mro__ if kind in STATUS_OF_CLASS
    )


def problem_of(error: SignalboxError) -> Problem:
    """The problem of an error that was raised on purpose."""
    status = status_of(error)
    return Problem(
        type=_type_of(error.stable_code),
        title=TITLES[status],
        status=status,
        detail=error.detail,
        code=error.stable_code,
        field=error.field,
        errors=_field_errors(error),
    )


def internal_problem(detail: str) -> Problem:
    """The problem of a bug. `detail` must reveal nothing about it; the log has the traceback."""
    return Problem(
        type=_type_of("internal_error"), title=TITLES[500], status=500, detail=detail, code="internal_error"
    )


def encode_problem(problem: Problem, extensions: Mapping[str, object] | None = None) -> bytes:
    """The problem as JSON.

    Args:
        extensions: further members (RFC 9457 §3.2); a standard member is never replaced.
    """
    extra = {name: value for name, value in (extensions or {}).items() if name not in _STANDARD_MEMBERS}
    return msgspec.json.encode({**msgspec.to_builtins(problem), **extra}, enc_hook=str)


def retry_after_of(error: SignalboxError) -> int | None:
    """The seconds for `Retry-After`; None when the same call would fail again."""
    if isinstance(error, RateLimited):
        return max(1, math.ceil(error.retry_after_s))
    return UNAVAILABLE_RETRY_S if isinstance(error, Unavailable) else None


_STANDARD_MEMBERS: Final = frozenset(Problem.__struct_fields__)


def _type_of(code: str) -> str:
    return f"urn:signalbox:problem:{code.replace('_', '-')}"


def _field_errors(error: SignalboxError) -> tuple[FieldError, ...]:
    if isinstance(error, InvalidFields):
        return error.errors
    return (FieldError(field=error.field, detail=error.detail),) if error.field else ()
