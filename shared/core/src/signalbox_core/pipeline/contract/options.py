"""Timeouts, heartbeat and retries of an activity call.

A pipeline defines its own policies (`FETCH`, `MODEL`, `RENDER`) once, next to its workflow.
"""

from datetime import timedelta
from typing import Final

from msgspec import Struct
from temporalio.common import RetryPolicy

DEFAULT_HEARTBEAT: Final = timedelta(seconds=5)
"""Heartbeat timeout of a call that sets none; the worker sends its heartbeats while its event loop runs."""
MAX_LOCAL_TIMEOUT: Final = timedelta(seconds=5)
"""Well below a workflow task's timeout (10 s), after which the server hands the task to another worker."""


class CallOptions(Struct, frozen=True, kw_only=True):
    """The policy of one kind of call.

    Attributes:
        timeout: of one attempt.
        heartbeat: how long an attempt may run without calling `progress()`. Set it where the activity itself
            can hang. Without it the worker sends the heartbeats, so a call is retried within seconds of the
            loss of its worker, and a hanging activity ends at `timeout`.
        total_timeout: of all attempts together, including the wait for a free worker.
        maximum_attempts: always bounded, since an argument that does not decode would be retried forever.
        rate_limit_wait: how long a call may wait in total when its attempts end with `RateLimited`: each time
            the rate limit allows, it starts again with new attempts. Not for local calls.
        non_retryable: codes of errors that are not retried; `Rejected` errors never are.
        task_queue: another queue than the pipeline's (`<pipeline>.<class>`).
        local: run in the workflow's own worker as part of the workflow task, without a round trip through the
            server: for idempotent work of at most `MAX_LOCAL_TIMEOUT` per attempt. It may run again when the
            worker is lost, together with the other local calls of the same workflow task, and its step is
            shown when that task ends. See `QUICK`.
    """

    timeout: timedelta
    heartbeat: timedelta | None = None
    total_timeout: timedelta | None = None
    maximum_attempts: int = 5
    first_retry_after: timedelta = timedelta(seconds=1)
    longest_retry_after: timedelta = timedelta(seconds=30)
    rate_limit_wait: timedelta = timedelta(hours=1)
    non_retryable: tuple[str, ...] = ()
    task_queue: str | None = None
    local: bool = False

    def __post_init__(self) -> None:
        if self.local and self.timeout > MAX_LOCAL_TIMEOUT:
            limit = f"{MAX_LOCAL_TIMEOUT.total_seconds():g} s"
            raise ValueError(
                f"timeout of a local call must be {limit} or less; drop local=True for longer work"
            )
        if self.local and (self.heartbeat is not None or self.task_queue is not None):
            raise ValueError(
                "a local call takes neither heartbeat nor task_queue: it runs where the workflow runs"
            )
        if self.maximum_attempts < 1:
            raise ValueError("maximum_attempts must be 1 or more: an unbounded retry hides a bug")

    @property
    def retry_policy(self) -> RetryPolicy:
        return RetryPolicy(
            initial_interval=self.first_retry_after,
            maximum_interval=self.longest_retry_after,
            maximum_attempts=self.maximum_attempts,
            non_retryable_error_types=list(self.non_retryable) or None,
        )


QUICK: Final = CallOptions(
    timeout=MAX_LOCAL_TIMEOUT, maximum_attempts=5, first_retry_after=timedelta(milliseconds=200), local=True
)
"""For short idempotent work: reading a setting, a calculation, one fast request. No heartbeat or progress."""
