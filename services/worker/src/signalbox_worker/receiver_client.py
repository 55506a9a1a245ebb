"""Signed POST requests to the webhook receiver, retried with exponential backoff.

Every attempt is signed anew, because the receiver accepts a nonce only once.
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

import httpx2
import msgspec

from signalbox_core.errors import RateLimited, Rejected, Unavailable
from signalbox_core.http.retry_after import retry_after_s
from signalbox_core.signatures import Signer
from signalbox_worker.metrics import WorkerMetrics

log = logging.getLogger(__name__)

ATTEMPT_TIMEOUT_S: Final = 2.5
FIRST_BACKOFF_S: Final = 0.05
MAX_BACKOFF_S: Final = 5.0
_MAX_QUOTED_CHARS: Final = 500
_CONNECTION_LIMITS: Final = httpx2.Limits(
    max_connections=64, max_keepalive_connections=16, keepalive_expiry=30.0
)


class DeliveryRefused(Rejected):
    """The receiver refused the body permanently: 400, 411, 413, 415, 422, or a permanent conflict."""

    code = "event_refused"


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


class _ProblemCode(msgspec.Struct, frozen=True, kw_only=True):
    code: str


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


def problem_code(body: bytes) -> str | None:
    """Return the stable code of a problem document (RFC 9457); None when the body is not one."""
    try:
        return msgspec.json.decode(body, type=_ProblemCode).code
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


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


def open_client() -> httpx2.AsyncClient:
    """Open an HTTP client with keep-alive; it ignores proxy variables, since the address is configured."""
    return httpx2.AsyncClient(limits=_CONNECTION_LIMITS, timeout=ATTEMPT_TIMEOUT_S, trust_env=False)


class ReceiverClient:
    """Posts to one receiver; logs once when it becomes unavailable and once when it is available again."""

    def __init__(self, client: httpx2.AsyncClient, url: str, signer: Signer, metrics: WorkerMetrics) -> None:
        self._client = client
        self._url = url
        self._signer = signer
        self._metrics = metrics
        self._rng = random.Random()
        self._unavailable_since: float | None = None

    @property
    def is_available(self) -> bool:
        """Whether the last request was answered by a working receiver; True before the first one."""
        return self._unavailable_since is None

    async def post(self, body: bytes, content_type: str, *, budget: RetryBudget = FEW_ATTEMPTS) -> None:
        """Send until the receiver accepts.

        Raises:
            DeliveryRefused: the body is invalid; a retry would be refused again.
            Unavailable: not accepted within the budget (RateLimited when the response had Retry-After).
        """
        await retry(lambda: self._attempt(body, content_type), budget, self._rng)

    async def _attempt(self, body: bytes, content_type: str) -> None:
        headers = self._signer.sign("POST", self._url, body, content_type)
        try:
            async with asyncio.timeout(ATTEMPT_TIMEOUT_S):
                response = await self._client.post(self._url, content=body, headers=headers)
        except (httpx2.TransportError, TimeoutError) as error:
            failure = Unavailable(f"the receiver at {self._url} does not respond: {type(error).__name__}")
            raise self._record_failure(failure) from error
        self._check(response)

    def _check(self, response: httpx2.Response) -> None:
        """Return when the response accepts the body; raise what it means otherwise."""
        action = response_policy(response.status_code, problem_code(response.content))
        quoted = response.text[:_MAX_QUOTED_CHARS]
        if action is ResponseAction.MISCONFIGURED:
            failure = Unavailable(
                f"the receiver responds {response.status_code} to key {self._signer.keyid}: "
                f"check its key file and the receiver's URL ({quoted})"
            )
            raise self._record_failure(failure, level=logging.ERROR)
        if action is ResponseAction.RETRY:
            raise self._record_failure(_retryable(response))
        self._record_success()
        if action is ResponseAction.REFUSE:
            raise DeliveryRefused(f"the receiver refused the event ({response.status_code}): {quoted}")

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


def _retryable(response: httpx2.Response) -> Unavailable:
    detail = f"the receiver cannot accept events now ({response.status_code})"
    wait_s = retry_after_s(response.headers, datetime.now(UTC))
    return Unavailable(detail) if wait_s is None else RateLimited(detail, retry_after_s=wait_s)
