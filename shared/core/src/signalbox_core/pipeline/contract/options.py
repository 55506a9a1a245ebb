"""How an activity is called: timeouts, heartbeat, retries. A pipeline states its own policies (`FETCH`, `MODEL`, `RENDER`) once."""

from datetime import timedelta

from msgspec import Struct
from temporalio.common import RetryPolicy


class CallOptions(Struct, frozen=True, kw_only=True):
    """The policy of one kind of call.

    Attributes:
        timeout: of one attempt.
        heartbeat: the longest silence of an attempt; state it for anything above 10 s (`progress()` beats).
        total_timeout: of all attempts together, waiting for a free worker included.
        maximum_attempts: bounded always, as an argument that does not decode would retry for ever.
        non_retryable: codes of errors that end the call at once; `Rejected` ones do so by themselves.
        task_queue: another queue than the pipeline's (`<pipeline>.<class>`).
    """

    timeout: timedelta
    heartbeat: timedelta | None = None
    total_timeout: timedelta | None = None
    maximum_attempts: int = 5
    first_retry_after: timedelta = timedelta(seconds=1)
    longest_retry_after: timedelta = timedelta(seconds=30)
    non_retryable: tuple[str, ...] = ()
    task_queue: str | None = None

    def __post_init__(self) -> None:
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
