"""Which failed requests are retried, and how long to wait before. Pure; the clients do the waiting."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import httpx2
from msgspec import Struct

from signalbox_client.problems import error_of, unreachable
from signalbox_core.errors import RateLimited, SignalboxError, Unavailable
from signalbox_core.http.retry_after import retry_after_s

_PROBLEM_TYPE: Final = "application/problem+json"
_RETRYABLE_CLIENT_ERRORS: Final = frozenset({408, 429})
MAX_SERVER_DELAY_S: Final = 300.0
OnRetry = Callable[[SignalboxError, float], None]
"""Called before a request is sent again: why, and after how many seconds."""
_MAX_JITTER: Final = 0.25


class RequestFailure(Struct, frozen=True, kw_only=True):
    """A request that failed.

    Attributes:
        error: what the client raises when it gives up.
        is_final: the gateway itself refused the request, so a retry would be refused too.
        is_foreign: a 4xx that is not a problem document: from a proxy, or from another server altogether.
        retry_after_s: the delay in the server's `Retry-After`.
    """

    error: SignalboxError
    is_final: bool = False
    is_foreign: bool = False
    retry_after_s: float | None = None


def connection_failure(url: str, error: httpx2.TransportError) -> RequestFailure:
    """The failure of a request that got no complete response."""
    unavailable = unreachable(url, error)
    unavailable.__cause__ = error
    return RequestFailure(error=unavailable)


def response_failure(url: str, response: httpx2.Response) -> RequestFailure:
    """The failure of a response other than 2xx; its body must have been read."""
    status, headers = response.status_code, response.headers
    delay_s = retry_after_s(headers, datetime.now(UTC))
    if headers.get("content-type", "").partition(";")[0].strip().lower() == _PROBLEM_TYPE:
        error = error_of(status, response.content, headers.get("retry-after"))
        return RequestFailure(error=error, is_final=not isinstance(error, Unavailable), retry_after_s=delay_s)
    detail = (
        f"{url} returned {status} without a problem document, so it is not a Signalbox gateway:"
        " check SIGNALBOX_URL and the proxies in between"
    )
    foreign = 400 <= status < 500 and status not in _RETRYABLE_CLIENT_ERRORS
    error = (
        RateLimited(detail, retry_after_s=delay_s or 1.0)
        if status == 429
        else Unavailable(detail, field="SIGNALBOX_URL")
    )
    return RequestFailure(error=error, is_foreign=foreign, retry_after_s=delay_s)


def retry_delay_s(backoff_s: float, server_delay_s: float | None, jitter: float) -> float:
    """How long to wait before the next attempt.

    Args:
        backoff_s: the client's own delay; the server's `Retry-After` replaces it.
        server_delay_s: from `Retry-After`; more than five minutes count as five.
        jitter: 0 to 1; spreads clients that failed together over a quarter of the delay, never below it.
    """
    delay_s = backoff_s if server_delay_s is None else min(server_delay_s, MAX_SERVER_DELAY_S)
    return delay_s * (1 + _MAX_JITTER * jitter)


def ignore_retry(error: SignalboxError, delay_s: float) -> None:
    """The default `OnRetry`."""
