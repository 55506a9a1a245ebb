"""Signed POST requests to the webhook receiver, and what its responses mean.

Every attempt is signed again, because the receiver accepts a nonce only once.
"""

import asyncio
import itertools
import logging
import math
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

import msgspec

from signalbox_core.errors import RateLimited, Rejected, Unavailable
from signalbox_core.events.envelope import EventResult
from signalbox_core.http.retry_after import retry_after_s
from signalbox_core.signatures import Signer
from signalbox_worker.metrics import WorkerMetrics
from signalbox_worker.post_client import PostClient, PostFailed, PostResponse

log = logging.getLogger(__name__)

ATTEMPT_TIMEOUT_S: Final = 2.5
FIRST_BACKOFF_S: Final = 0.05
MAX_BACKOFF_S: Final = 5.0
_MAX_QUOTED_CHARS: Final = 500


class DeliveryRefused(Rejected):
    """The receiver refused the body permanently: 400, 411, 413, 415, 422, or a permanent conflict."""

    code = "event_refused"


class DeliveryTimedOut(Unavailable):
    """The receiver did not respond in time; it may have accepted the events."""


class RetryBudget(msgspec.Struct, frozen=True, kw_only=True):
    """How long a request is retried.

    Attributes:
        attempts: None for unlimited.
        within_s: no attempt starts later than this after the first one.
    """

    attempts: int | None = None
    within_s: float = math.inf


SINGLE_ATTEMPT: Final = RetryBudget(attempts=1)
FEW_ATTEMPTS: Final = RetryBudget(attempts=3, within_s=4.0)
UNLIMITED: Final = RetryBudget()


class ResponseAction(StrEnum):
    """What a response means for the events that were sent."""

    ACCEPT = "accept"
    RETRY = "retry"
    """The receiver is busy or failing; the same events may be accepted later."""
    REFUSE = "refuse"
    """An event is invalid and will never be accepted."""
    MISCONFIGURED = "misconfigured"
    """The key, the tenant or the address is wrong: the events are kept and retried until that is fixed."""


_ACTIONS: Final[Mapping[int, ResponseAction]] = {
    **dict.fromkeys((400, 411, 413, 415, 422), ResponseAction.REFUSE),
    **dict.fromkeys((408, 409, 425, 429), ResponseAction.RETRY),
}
# A new attempt resolves these conflicts of the receiver; its other conflicts are permanent.
_TRANSIENT_CONFLICTS: Final = frozenset({"in_flight", "nonce_replayed"})


class _Problem(msgspec.Struct, frozen=True, kw_only=True):
    code: str | None = None
    results: tuple[EventResult, ...] = ()


_NO_PROBLEM: Final = _Problem()


def response_policy(status: int, code: str | None = None) -> ResponseAction:
    """Classify a response. Only an invalid event is given up; a configuration error must not lose any.

    Args:
        code: the problem's stable code; None when the response did not come from the receiver (a proxy's).
    """
    if 200 <= status < 300:
        return ResponseAction.ACCEPT
    if status >= 500:
        return ResponseAction.RETRY
    if status == 409 and code is not None and code not in _TRANSIENT_CONFLICTS:
        return ResponseAction.REFUSE
    return _ACTIONS.get(status, ResponseAction.MISCONFIGURED)


def _read_problem(response: PostResponse) -> _Problem:
    """Return the problem document (RFC 9457) of a response; an empty one when the body is something else."""
    if response.status_code < 300:
        return _NO_PROBLEM
    try:
        return msgspec.json.decode(response.content, type=_Problem)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _NO_PROBLEM


def backoff_s(attempt: int, rng: random.Random) -> float:
    """Return the seconds to wait after a failed attempt (from 1): exponential, with jitter."""
    ceiling = min(MAX_BACKOFF_S, FIRST_BACKOFF_S * 2 ** min(attempt, 30))
    return rng.uniform(ceiling / 2, ceiling)


async def retry(attempt: Callable[[], Awaitable[None]], budget: RetryBudget, rng: random.Random) -> None:
    """Repeat `attempt` while it raises Unavailable; a Retry-After longer than the backoff is honoured.

    Raises:
        Unavailable: the budget is spent, or the next attempt would start after it.
    """
    deadline = time.monotonic() + budget.within_s
    for number in itertools.count(1):
        try:
            await attempt()
            return
        except Unavailable as error:
            requested_s = error.retry_after_s if isinstance(error, RateLimited) else 0.0
            wait_s = max(requested_s, backoff_s(number, rng))
            if number == budget.attempts or time.monotonic() + wait_s > deadline:
                raise
            await asyncio.sleep(wait_s)


class ReceiverClient:
    """Posts to one receiver; logs once when it becomes unavailable and once when it is available again."""

    def __init__(self, client: PostClient, url: str, signer: Signer, metrics: WorkerMetrics) -> None:
        self._client = client
        self._url = url
        self._signer = signer
        self._metrics = metrics
        self._unavailable_since: float | None = None

    @property
    def is_available(self) -> bool:
        """Whether the last request was answered by a working receiver; True before the first one."""
        return self._unavailable_since is None

    async def post(self, body: bytes, content_type: str) -> tuple[EventResult, ...]:
        """Send one request.

        Returns:
            Nothing when all events are accepted; otherwise the result of each event, where some were accepted
            and some were not.

        Raises:
            DeliveryRefused: the body is invalid; a retry would be refused again.
            Unavailable: nothing is accepted now (RateLimited when the response had Retry-After).
            DeliveryTimedOut: the receiver did not respond in time.
        """
        headers = self._signer.sign("POST", self._url, body, content_type)
        try:
            async with asyncio.timeout(ATTEMPT_TIMEOUT_S):
                response = await self._client.post(body, headers)
        except TimeoutError as error:
            late = DeliveryTimedOut(
                f"the receiver at {self._url} does not respond in {ATTEMPT_TIMEOUT_S:g} s"
            )
            raise self._record_failure(late) from error
        except PostFailed as error:
            failure = Unavailable(f"the receiver at {self._url} does not respond: {error}")
            raise self._record_failure(failure) from error
        problem = _read_problem(response)
        if problem.results:
            self._record_success()
            return problem.results
        self._check(response, problem)
        return ()

    def error_of(self, result: EventResult) -> DeliveryRefused | Unavailable | None:
        """Return what the result of one event means; None: the receiver has it."""
        match response_policy(result.status, result.code):
            case ResponseAction.ACCEPT:
                return None
            case ResponseAction.REFUSE:
                return DeliveryRefused(f"the receiver refused the event ({result.status}): {result.code}")
            case ResponseAction.MISCONFIGURED:
                return self._misconfigured(result.status, result.code or "")
            case ResponseAction.RETRY:
                self._metrics.add("delivery_failures")
                return Unavailable(
                    f"the receiver cannot accept the event now ({result.status}): {result.code}"
                )

    def _check(self, response: PostResponse, problem: _Problem) -> None:
        """Return when the response accepts the body; raise what it means otherwise."""
        action = response_policy(response.status_code, problem.code)
        quoted = response.content.decode("utf-8", "replace")[:_MAX_QUOTED_CHARS]
        if action is ResponseAction.MISCONFIGURED:
            raise self._misconfigured(response.status_code, quoted)
        if action is ResponseAction.RETRY:
            raise self._record_failure(_retryable(response))
        self._record_success()
        if action is ResponseAction.REFUSE:
            raise DeliveryRefused(f"the receiver refused the event ({response.status_code}): {quoted}")

    def _misconfigured(self, status: int, quoted: str) -> Unavailable:
        failure = Unavailable(
            f"the receiver responds {status} to key {self._signer.keyid}: "
            f"check its key file and the receiver's URL ({quoted})"
        )
        return self._record_failure(failure, level=logging.ERROR)

    def _record_failure(self, failure: Unavailable, *, level: int = logging.WARNING) -> Unavailable:
        self._metrics.add("delivery_failures")
        if self._unavailable_since is None:
            self._unavailable_since = time.monotonic()
            log.log(level, "receiver is unavailable", extra={"detail": failure.detail})
        return failure

    def _record_success(self) -> None:
        if self._unavailable_since is not None:
            outage_s = round(time.monotonic() - self._unavailable_since, 1)
            log.info("receiver is available again", extra={"outage_s": outage_s})
            self._unavailable_since = None


def _retryable(response: PostResponse) -> Unavailable:
    detail = f"the receiver cannot accept events now ({response.status_code})"
    wait_s = retry_after_s(response.headers, datetime.now(UTC))
    return Unavailable(detail) if wait_s is None else RateLimited(detail, retry_after_s=wait_s)
