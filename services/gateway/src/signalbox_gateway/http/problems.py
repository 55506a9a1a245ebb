"""Errors as the API returns them (RFC 9457); the one place where error classes meet HTTP statuses."""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct
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

MEDIA_TYPE: Final = "application/problem+json"


class FieldError(Struct, frozen=True, kw_only=True):
    """One fault of the request: the path of the field (`input.url`) and what to change."""

    field: str
    detail: str


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """RFC 9457. `code` is stable; `errors` names every field at fault; further members depend on the code."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: tuple[FieldError, ...] = ()


class InvalidFields(InvalidInput):
    """Several fields break their contract; `errors` names each."""

    def __init__(self, errors: tuple[FieldError, ...]) -> None:
        super().__init__(
            "; ".join(f"{error.field}: {error.detail}" for error in errors), field=errors[0].field
        )
        self.errors = errors


class Unauthenticated(Forbidden):
    """Nobody is named by the request, or its key, session or ticket is not valid (any more)."""

    code = "unauthenticated"


TITLES: Final[Mapping[int, str]] = {
    400: "The request cannot be read",
    401: "Say who you are",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "The state forbids it",
    413: "The body is too large",
    415: "Wrong content type",
    422: "A value is not valid",
    429: "Too many requests",
    500: "Our mistake",
    503: "Not available right now",
}
STATUS_OF_CLASS: Final[Mapping[type[SignalboxError], int]] = {
    InvalidInput: 422,
    NotFound: 404,
    Conflict: 409,
    Unauthenticated: 401,
    Forbidden: 403,
    InvalidSignature: 401,
    RateLimited: 429,
    Unavailable: 503,
    Rejected: 422,
}
# Where one class has several statuses, the code decides.
STATUS_OF_CODE: Final[Mapping[str, int]] = {
    "bad_json": 400,
    "method_not_allowed": 405,
    "body_too_large": 413,
    "wrong_content_type": 415,
    "upload_too_large": 413,
    "wrong_upload_type": 415,
}
# Every code that the API answers with; `type` points at its line on the page /docs.
CODES: Final[Mapping[str, str]] = {
    "bad_json": "The body is not JSON.",
    "wrong_content_type": "The body is not declared as application/json.",
    "body_too_large": "The body has more than 1 MiB.",
    "upload_too_large": "The file has more than 50 MB.",
    "wrong_upload_type": "The file is not of a kind that pipelines read.",
    "empty_upload": "The file has no bytes.",
    "method_not_allowed": "The path exists; the header Allow names its methods.",
    "invalid_input": "Fields are missing, unknown or wrong; `errors` names each.",
    "unknown_pipeline": "No pipeline of that name is installed.",
    "unauthenticated": "No API key, session or ticket, or one that is not valid (any more).",
    "issuer_unavailable": "The keys of the token's issuer cannot be fetched; the same request may succeed later.",
    "payload_key_missing": "A value was sealed with a key that this gateway lacks; an operator must put it back.",
    "payload_damaged": "A sealed value was changed, or is sealed with another key of the same name.",
    "secrets_unavailable": "The input holds a secret, and this gateway has no payload keys to seal it with.",
    "forbidden": "The principal lacks the role; `role` names it.",
    "other_origin": "A request with a session cookie came from another site.",
    "not_found": "There is nothing at this address.",
    "unknown_run": "There is no such run, or it is another tenant's.",
    "unknown_approval": "The run has no such approval.",
    "unknown_artifact": "The run has no such artifact.",
    "run_id_taken": "The run id belongs to another request.",
    "key_reused": "The Idempotency-Key stands for another run id.",
    "already_decided": "Another decision won; `decided_by`, `decided_at` and `decision_id` tell which.",
    "approval_expired": "Nobody decided in time; the approval is closed.",
    "stale_digest": "The question has changed since it was read: read it again.",
    "invalid_answer": "The answer breaks a rule of the pipeline; the approval stays open.",
    "decision_id_taken": "The decision id was used for another answer.",
    "run_ended": "The run is over; `run_status` says how.",
    "not_finished": "The run has no result yet.",
    "run_failed": "The run has no result: it failed; `error` says where and why.",
    "run_cancelled": "The run has no result: it was cancelled.",
    "run_terminated": "The run has no result: it was terminated.",
    "run_timed_out": "The run has no result: it ran out of time.",
    "unavailable": "A backend is away; the same request may succeed later.",
    "temporal_unavailable": "Temporal is away; the same request may succeed later.",
    "rate_limited": "Too many requests; `Retry-After` says when to come again.",
    "internal_error": "A bug of ours; the request id finds it in the log.",
}
_OWN_MEMBERS: Final = frozenset(Problem.__struct_fields__)


def problem_of(error: SignalboxError) -> Problem:
    """The problem of an error that was raised on purpose."""
    status = STATUS_OF_CODE.get(error.stable_code) or next(
        STATUS_OF_CLASS[kind] for kind in type(error).__mro__ if kind in STATUS_OF_CLASS
    )
    return Problem(
        type=f"/docs#{error.stable_code}",
        title=TITLES[status],
        status=status,
        detail=error.detail,
        code=error.stable_code,
        errors=_errors(error),
    )


def problem_response(error: SignalboxError, headers: Mapping[str, str] | None = None) -> Response:
    """The response of an error; its facts become further members."""
    problem = problem_of(error)
    members = {
        **msgspec.to_builtins(problem),
        **{name: fact for name, fact in error.facts.items() if name not in _OWN_MEMBERS},
    }
    own = {"cache-control": "no-store", **_retry_headers(error), **(headers or {})}
    if problem.status == 401:
        own["www-authenticate"] = 'Bearer realm="signalbox"'
    body = msgspec.json.encode(members, enc_hook=str)
    return Response(body, status_code=problem.status, media_type=MEDIA_TYPE, headers=own)


def bug_response() -> Response:
    """What a caller sees of a bug: nothing but that it is ours."""
    problem = Problem(
        type="/docs#internal_error",
        title=TITLES[500],
        status=500,
        detail="the gateway met a bug; it is logged with the request id of this response",
        code="internal_error",
    )
    return Response(
        msgspec.json.encode(problem),
        status_code=500,
        media_type=MEDIA_TYPE,
        headers={"cache-control": "no-store"},
    )


def _errors(error: SignalboxError) -> tuple[FieldError, ...]:
    if isinstance(error, InvalidFields):
        return error.errors
    return (FieldError(field=error.field, detail=error.detail),) if error.field else ()


def _retry_headers(error: SignalboxError) -> Mapping[str, str]:
    if isinstance(error, RateLimited):
        return {"retry-after": str(max(1, round(error.retry_after_s)))}
    return {"retry-after": "2"} if isinstance(error, Unavailable) else {}
