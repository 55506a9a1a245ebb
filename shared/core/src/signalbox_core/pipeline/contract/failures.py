"""Translates Signalbox errors to Temporal's ApplicationError, and any error to a `Failure` for people."""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Final

import msgspec
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    ApplicationErrorCategory,
    CancelledError,
    ChildWorkflowError,
    RetryState,
)
from temporalio.exceptions import TimeoutError as TimedOut

from signalbox_core.errors import RateLimited, Rejected, SignalboxError
from signalbox_core.events.catalogue import Failure
from signalbox_core.pipeline.contract.external_event import WAIT_EXPIRED
from signalbox_core.pipeline.contract.messages import VETOED, ErrorDetails
from signalbox_core.subjects import Subject

_CODE: Final = re.compile(r"[a-z][a-z0-9_]*")
_MAX_CHARS: Final = 8_000
_MAX_NAME_CHARS: Final = 200
BUG: Final = "pipeline_bug"
"""The pipeline misuses the library (an undeclared step or event); the run fails without a retry."""


def as_application_error(error: SignalboxError, *, benign: bool = False) -> ApplicationError:
    """Translate a Signalbox error.

    `Rejected` is not retried, `RateLimited` is retried after its delay, anything else by the retry policy.

    Args:
        benign: keep Temporal from logging and counting it as a failure.
    """
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


def non_retryable_error(
    code: str, message: str, *, field: str | None = None, **facts: object
) -> ApplicationError:
    """Create a non-retryable ApplicationError with `ErrorDetails`, for workflow code to raise."""
    details = ErrorDetails(
        code=code, message=message, field=field, facts=msgspec.Raw(msgspec.json.encode(facts))
    )
    return ApplicationError(message, details, type=code, non_retryable=True)


class VetoedError(ApplicationError):
    """A question was vetoed. Raised by `Run.ask`; the run fails with code `vetoed` unless it is caught.

    Attributes:
        approval_id: of the question.
        reason: of the objection.
        vetoed_by: who objected.
    """

    def __init__(self, approval_id: str, reason: str, vetoed_by: Subject) -> None:
        message = f"approval {approval_id} was vetoed by {vetoed_by.name or vetoed_by.subject}: {reason}"
        super().__init__(message, ErrorDetails(code=VETOED, message=message), type=VETOED, non_retryable=True)
        self.approval_id = approval_id
        self.reason = reason
        self.vetoed_by = vetoed_by


class WaitExpiredError(ApplicationError):
    """An external event did not arrive in time. Raised by `Run.wait_for`.

    The run fails with code `wait_expired` unless it is caught.

    Attributes:
        wait_id: of the wait.
        event: the name of the event.
        key: the business key; None without one.
    """

    def __init__(self, wait_id: str, event: str, key: str | None) -> None:
        keyed = f" with key {key}" if key is not None else ""
        message = f"no event {event}{keyed} arrived in time; start the run again, or wait longer"
        details = ErrorDetails(code=WAIT_EXPIRED, message=message)
        super().__init__(message, details, type=WAIT_EXPIRED, non_retryable=True)
        self.wait_id = wait_id
        self.event = event
        self.key = key


def pipeline_bug(message: str) -> ApplicationError:
    """Create the error for a mistake in the pipeline's code."""
    return non_retryable_error(BUG, message)


def rate_limit_delay(error: ActivityError) -> timedelta | None:
    """Return the delay of the rate limit at which the last attempt of an activity ended, if it did."""
    cause = error.cause
    if error.retry_state is not RetryState.MAXIMUM_ATTEMPTS_REACHED or not isinstance(
        cause, ApplicationError
    ):
        return None
    return cause.next_retry_delay


def failure_of(error: BaseException, *, step: str | None = None) -> Failure:
    """Describe an error for people.

    Code, message and field come from the innermost cause that carries them, else from the innermost cause.
    """
    chain = list(causes(error))
    for cause in reversed(chain):
        coded = _coded_failure(cause, step)
        if coded is not None:
            return coded
        if isinstance(cause, TimedOut):
            return Failure(code="timed_out", message=_timeout_message(chain, cause), step=step)
    innermost = chain[-1]
    if isinstance(innermost, ApplicationError):
        return _plain_failure(innermost, step)
    if isinstance(innermost, CancelledError | TimeoutError):
        return Failure(code="timed_out", message=_workflow_timeout_message(chain), step=step)
    return Failure(
        code="unexpected_error", message=f"{type(innermost).__name__}: {innermost}"[:_MAX_CHARS], step=step
    )


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes, each once: `raise error from error` makes an error its own cause."""
    current: BaseException | None = error
    seen: set[int] = set()
    while current is not None and id(current) not in seen:
        yield current
        seen.add(id(current))
        current = current.__cause__


def _coded_failure(error: BaseException, step: str | None) -> Failure | None:
    """Return the failure of a Signalbox error, or of an ApplicationError that carries `ErrorDetails`."""
    if isinstance(error, SignalboxError):
        return Failure(
            code=error.stable_code, message=error.detail[:_MAX_CHARS], field=error.field, step=step
        )
    detail = error.details[0] if isinstance(error, ApplicationError) and error.details else None
    if isinstance(detail, ErrorDetails):
        return Failure(code=detail.code, message=detail.message[:_MAX_CHARS], field=detail.field, step=step)
    if isinstance(detail, Mapping) and isinstance(code := detail.get("code"), str) and code:
        # Of plain Temporal code, whose other members may have any type.
        message, field = _text(detail, "message") or str(error), _text(detail, "field")
        return Failure(
            code=code[:_MAX_NAME_CHARS],
            message=message[:_MAX_CHARS],
            field=field[:_MAX_NAME_CHARS] if field is not None else None,
            step=step,
        )
    return None


def _text(members: Mapping[str, object], name: str) -> str | None:
    value = members.get(name)
    return value if isinstance(value, str) else None


def _plain_failure(error: ApplicationError, step: str | None) -> Failure:
    """Return the failure of an ApplicationError without details, from plain Temporal code or from a bug."""
    if error.type and len(error.type) <= _MAX_NAME_CHARS and _CODE.fullmatch(error.type):
        return Failure(code=error.type, message=error.message[:_MAX_CHARS], step=step)
    return Failure(
        code="unexpected_error", message=f"{error.type or 'error'}: {error.message}"[:_MAX_CHARS], step=step
    )


def _workflow_timeout_message(chain: list[BaseException]) -> str:
    """The message for work that the workflow itself ended, as `asyncio.timeout` does."""
    named = (
        item.activity_type if isinstance(item, ActivityError) else item.workflow_type
        for item in chain
        if isinstance(item, ActivityError | ChildWorkflowError)
    )
    return (
        f"{next(named, 'the work')} was cancelled by the workflow, as a timeout in its code does;"
        " start the run again, or raise that timeout"
    )


def _timeout_message(chain: list[BaseException], cause: TimedOut) -> str:
    kind = cause.type.name.lower().replace("_", "-") if cause.type is not None else "deadline"
    activity = next((item.activity_type for item in chain if isinstance(item, ActivityError)), None)
    return (
        f"{activity or 'the work'} did not finish in time ({kind}); start the run again, or raise its timeout"
    )
