"""Rate limits per principal, and per address for failed authentication.

The counters are in Redis and shared by all gateways. Without Redis nothing is limited: starting and watching
runs must not depend on it.
"""

import logging
from typing import Final

from redis.asyncio import Redis
from starlette.requests import HTTPConnection

from signalbox_core.errors import RateLimited, Unavailable
from signalbox_core.redis.rates import RateLimiter, RedisRateLimiter
from signalbox_gateway.auth.principal import Principal
from signalbox_gateway.settings import Settings

log = logging.getLogger(__name__)
NO_ADDRESS: Final = "unknown"
_WITHIN_S: Final = 3.0


class TooManyFailures(RateLimited):
    """Too many failed authentications came from one address."""


class RequestLimiter:
    """Counts requests and failed authentications.

    Args:
        principals: limits the requests of each principal.
        failures: limits the failed authentications (401) of each address.
    """

    def __init__(self, principals: RateLimiter, failures: RateLimiter) -> None:
        self._principals = principals
        self._failures = failures

    async def count_request(self, principal: Principal) -> None:
        """Raises: RateLimited: the principal exceeds its limit."""
        await self.count(principal.key_id)

    async def count(self, key: str) -> None:
        """Count a request of what the key names. Raises: RateLimited: it exceeds its limit."""
        await _count(self._principals, key)

    async def count_further(self, principal: Principal, items: int) -> None:
        """Count the items of a request beyond the first, each as a request of its own.

        Raises:
            RateLimited: the principal exceeds its limit; none of them is counted.
        """
        if items > 1:
            await _count(self._principals, principal.key_id, items - 1)

    async def count_failure(self, request: HTTPConnection) -> None:
        """Count a failed authentication. Raises: TooManyFailures: the address exceeds its limit."""
        try:
            await _count(self._failures, request.client.host if request.client else NO_ADDRESS)
        except RateLimited as error:
            raise TooManyFailures(error.detail, retry_after_s=error.retry_after_s) from error


def redis_request_limiter(redis: Redis, settings: Settings) -> RequestLimiter:
    """The limiter that all gateways share."""
    return RequestLimiter(
        RedisRateLimiter(redis, per_s=settings.requests_per_s, scope="principals", within_s=_WITHIN_S),
        RedisRateLimiter(redis, per_s=settings.failures_per_s, scope="failures", within_s=_WITHIN_S),
    )


async def _count(rates: RateLimiter, key: str, calls: int = 1) -> None:
    try:
        await rates.take(key, calls)
    except RateLimited:
        raise
    except Unavailable as error:
        log.warning("request not counted: Redis is unavailable", extra={"detail": error.detail})
