"""Reading a failed attempt as Temporal tells it: why, how long to wait, what it has cost. Pure."""

from collections.abc import Mapping

import msgspec
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.exceptions import TimeoutError as TimedOut

from signalbox_pipelines.ai_task.budget import Miss
from signalbox_pipelines.ai_task.messages import Spent


class _Told(msgspec.Struct, frozen=True):
    """`ErrorDetails` as it comes back: a JSON object."""

    facts: Spent | None = None


def miss_of(error: ActivityError) -> Miss | None:
    """Why an attempt failed; None when the same call will fail again."""
    cause = error.cause
    if isinstance(cause, TimedOut):
        return Miss(code="timed_out", message="the attempt was lost: its worker is gone, or time was up")
    if not isinstance(cause, ApplicationError):
        return None
    if cause.non_retryable:
        return None
    wait = cause.next_retry_delay
    return Miss(
        code=cause.type or "unexpected_error",
        message=cause.message,
        retry_after_s=wait.total_seconds() if wait is not None else None,
        spent=_spent(cause),
    )


def _spent(cause: ApplicationError) -> Spent | None:
    """What the activity said it used; None when it could not say."""
    detail = cause.details[0] if cause.details else None
    if not isinstance(detail, Mapping):
        return None
    try:
        return msgspec.convert(detail, _Told, strict=False).facts
    except msgspec.ValidationError:
        return None
