"""Rate limits: of each principal, and of each address that fails to prove who it is. They slow a caller down and never stop the gateway."""

import logging
from typing import Final

from starlette.requests import HTTPConnection

from signalbox_core.errors import RateLimited, Unavailable
from signalbox_core.redis.rates import RateLimiter
from signalbox_gateway.auth.principal import Principal

log = logging.getLogger(__name__)
NO_ADDRESS: Final = "unknown"


class Limiting:
    """Counts calls; without Redis nothing is counted, as a run must start and be watched all the same."""

    def __init__(self, principals: RateLimiter, failures: RateLimiter) -> None:
        self._principals = principals
        self._failures = failures

    async def called(self, principal: Principal) -> None:
        """Raises: RateLimited: the principal calls too often."""
        await _count(self._principals, principal.key_id)

    async def failed(self, request: HTTPConnection) -> None:
        """Somebody did not prove who they are. Raises: RateLimited: that happens too often at their address."""
        await _count(self._failures, request.client.host if request.client else NO_ADDRESS)


async def _count(rates: RateLimiter, key: str) -> None:
    try:
        await rates.take(key)
    except RateLimited:
        raise
    except Unavailable as error:
        log.warning("a call was not counted: Redis is away", extra={"detail": error.detail})
