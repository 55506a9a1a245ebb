"""Errors across Temporal's edge: ours to ApplicationError and, at the end of a step or run, any error to a `Failure`."""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Final

import msgspec
from temporalio.exceptions import ActivityError, ApplicationError, ApplicationErrorCategory
from temporalio.exceptions import TimeoutError as TimedOut

from signalbox_core.errors import RateLimited, Rejected, SignalboxError
from signalbox_core.events.catalogue import Failure
from signalbox_core.pipeline.contract.messages import ErrorDetails

_CODE: Final = re.compile(r"[a-z][a-z0-9_]*")
_MAX_CHARS: Final = 8_000
BUG: Final = "pipeline_bug"
"""The pipeline uses the library wrongly (an undeclared step or event); the run fails at once and says so."""


def as_application_error(error: SignalboxError, *, benign: bool = False) -> ApplicationError:
    """Translate: `Rejected` is final, `RateLimited` waits as told, anything else may be tried again."""
    facts = msgspec.Raw(msgspec.json.encode(error.facts, enc_hook=str))
    details = ErrorDetails(code=error.stable_code, message=error.detail, field=error.field, facts=facts)
    wait = timedelta(seconds=error.retry_after_s) if isinstance(error, RateLimited) else None
    return ApplicationError(
        error.detail,
        details,
        type=error.stable_code,
        non_retryable=isinstance(error, Rejected),
        next_retry_delay=wait,
        category=ApplicationErrorCategory.BENIGN if benign else ApplicationErrorCategory.UNSPECIFIED,
    )


def refusal(code: str, message: str, *, field: str | None = None, **facts: object) -> ApplicationError:
    """A final ApplicationError with our one detail; workflow code raises it."""
    details = ErrorDetails(
        code=code, message=message, field=field, facts=msgspec.Raw(msgspec.json.encode(facts))
    )
    return ApplicationError(message, details, type=code, non_retryable=True)


def bug(message: str) -> ApplicationError:
    """The pipeline's own mistake, told to its author."""
    return refusal(BUG, message)


def failure_of(error: BaseException, *, step: str | None = None) -> Failure:
    """What people read: code, sentence and field of the innermost cause that states them, else of the innermost cause."""
    chain = list(_causes(error))
    for cause in reversed(chain):
        told = _told(cause, step)
        if told is not None:
            return told
        if isinstance(cause, TimedOut):
            return Failure(code="timed_out", message=_timeout_message(chain, cause), step=step)
    innermost = chain[-1]
    if isinstance(innermost, ApplicationError):
        return _untold(innermost, step)
    return Failure(
        code="unexpected_error", message=f"{type(innermost).__name__}: {innermost}"[:_MAX_CHARS], step=step
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__


def _told(error: BaseException, step: str | None) -> Failure | None:
    """The failure that an error of ours is, or that an ApplicationError carries in its one detail."""
    if isinstance(error, SignalboxError):
        return Failure(
            code=error.stable_code, message=error.detail[:_MAX_CHARS], field=error.field, step=step
        )
    detail = error.details[0] if isinstance(error, ApplicationError) and error.details else None
    if isinstance(detail, ErrorDetails):
        return Failure(code=detail.code, message=detail.message[:_MAX_CHARS], field=detail.field, step=step)
    if isinstance(detail, Mapping) and isinstance(detail.get("code"), str):
        known = msgspec.convert(detail, ErrorText)
        return Failure(
            code=known.code, message=(known.message or str(error))[:_MAX_CHARS], field=known.field, step=step
        )
    return None


def _untold(error: ApplicationError, step: str | None) -> Failure:
    """One that plain Temporal code raised, or the SDK made of a bug."""
    if error.type and _CODE.fullmatch(error.type):
        return Failure(code=error.type, message=error.message[:_MAX_CHARS], step=step)
    return Failure(
        code="unexpected_error", message=f"{error.type or 'error'}: {error.message}"[:_MAX_CHARS], step=step
    )


class ErrorText(msgspec.Struct, frozen=True):
    """`ErrorDetails` as it comes back from Temporal: a JSON object without its type."""

    code: str
    message: str | None = None
    field: str | None = None


def _timeout_message(chain: list[BaseException], cause: TimedOut) -> str:
    kind = cause.type.name.lower().replace("_", "-") if cause.type is not None else "deadline"
    activity = next((item.activity_type for item in chain if isinstance(item, ActivityError)), None)
    return (
        f"{activity or 'the work'} did not finish in time ({kind}); start the run again, or raise its timeout"
    )
