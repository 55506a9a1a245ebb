"""Failed attempts: error code, requested delay and token usage, read from Temporal's ActivityError. Pure."""

from collections.abc import Mapping

import msgspec
from msgspec import Struct
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.exceptions import TimeoutError as ActivityTimeoutError

from signalbox_pipelines.ai_task.messages import AttemptUsage


class AttemptFailure(Struct, frozen=True, kw_only=True):
    """A failure that may be retried.

    Attributes:
        usage: tokens used; None when unknown, and then the attempt is charged with its maximum.
    """

    code: str
    message: str
    retry_after_s: float | None = None
    usage: AttemptUsage | None = None


class _FailureDetails(Struct, frozen=True):
    """The part of `ErrorDetails` that is needed here; it arrives as a JSON object."""

    facts: AttemptUsage | None = None


def retryable_failure(error: ActivityError) -> AttemptFailure | None:
    """Return the failure of an attempt; None when a retry cannot succeed."""
    cause = error.cause
    if isinstance(cause, ActivityTimeoutError):
        return AttemptFailure(
            code="timed_out", message="the attempt timed out, or its worker stopped responding"
        )
    if not isinstance(cause, ApplicationError) or cause.non_retryable:
        return None
    delay = cause.next_retry_delay
    return AttemptFailure(
        code=cause.type or "unexpected_error",
        message=cause.message,
        retry_after_s=delay.total_seconds() if delay is not None else None,
        usage=_reported_usage(cause),
    )


def _reported_usage(cause: ApplicationError) -> AttemptUsage | None:
    details = cause.details[0] if cause.details else None
    if not isinstance(details, Mapping):
        return None
    try:
        return msgspec.convert(details, _FailureDetails, strict=False).facts
    except msgspec.ValidationError:
        return None
