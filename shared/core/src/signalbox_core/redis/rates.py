"""Rate limits per key, principal or address, counted in Redis over all replicas.

The `limits` library counts in a sliding window. A round trip for every call would cost a fifth of its CPU,
so a replica reserves the calls of a twentieth of a second at once and spends them from memory.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final, Protocol, cast
from weakref import WeakValueDictionary

from limits import RateLimitItemPerSecond
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from redis.asyncio import Redis

from signalbox_core.bounded_dict import BoundedDict
from signalbox_core.errors import RateLimited
from signalbox_core.redis.client import map_redis_errors

_WINDOW_S: Final = 2
_RESERVATIONS_PER_S: Final = 20
_RESERVATION_TTL_S: Final = 1.0
_MAX_KEYS: Final = 10_000
_UNAVAILABLE: Final = "calls cannot be counted now; try again"


class RateLimiter(Protocol):
    """Limits the rate of calls per key."""

    async def take(self, key: str, calls: int = 1) -> None:
        """Count calls of this key, all or none of them.

        Args:
            calls: more than the rate of a second count as that many.

        Raises:
            RateLimited: the key has used up its rate; holds the time to wait.
            Unavailable: calls cannot be counted.
        """
        ...


class RedisRateLimiter:
    """Reserves calls in Redis and spends them from memory, where the number of keys is bounded.

    Args:
        scope: separates these counts from others in the same Redis.
        within_s: how long a call may wait for its count.
    """

    def __init__(
        self,
        client: Redis,
        *,
        per_s: int,
        scope: str,
        within_s: float = 0.9,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        # The library accepts a pool, according to its documentation, but its annotation does not.
        options = cast(Any, {"connection_pool": client.connection_pool})
        storage = RedisStorage("redis://", implementation="redispy", key_prefix=f"rates:{scope}", **options)
        self._limiter = SlidingWindowCounterRateLimiter(storage)
        self._item = RateLimitItemPerSecond(per_s * _WINDOW_S, _WINDOW_S)
        self._max_cost = per_s
        self._reserved_at_once = max(1, per_s // _RESERVATIONS_PER_S)
        self._within_s = within_s
        self._clock = clock
        self._reservations = BoundedDict[str, tuple[int, float]](_MAX_KEYS)
        self._refused_until = BoundedDict[str, float](_MAX_KEYS)
        self._locks = WeakValueDictionary[str, asyncio.Lock]()

    async def take(self, key: str, calls: int = 1) -> None:
        self._check_refusal(key)
        if self._spend(key, calls):
            return
        # One at a time per key: concurrent calls spend what the first of them reserves.
        lock = self._locks.setdefault(key, asyncio.Lock())
        with map_redis_errors("rates", detail=_UNAVAILABLE, code="claims_unavailable"):
            async with asyncio.timeout(self._within_s), lock:
                self._check_refusal(key)
                if not self._spend(key, calls):
                    await self._reserve(key, calls)

    async def _reserve(self, key: str, calls: int) -> None:
        cost = min(max(self._reserved_at_once, calls), self._max_cost)
        if await self._limiter.hit(self._item, key, cost=cost):
            # The calls that made the reservation are the first ones of it.
            self._reservations[key] = (max(0, cost - calls), self._clock() + _RESERVATION_TTL_S)
            return
        stats = await self._limiter.get_window_stats(self._item, key)
        wait_s = min(float(_WINDOW_S), max(0.1, stats.reset_time - time.time()))
        # Refused from memory until then: a round trip for each call of a flood would delay the other calls
        # of this key.
        self._refused_until[key] = self._clock() + wait_s
        self._check_refusal(key)

    def _check_refusal(self, key: str) -> None:
        wait_s = self._refused_until.get(key, 0.0) - self._clock()
        if wait_s > 0:
            raise RateLimited("too many requests; slow down", retry_after_s=wait_s)
        self._refused_until.pop(key, None)

    def _spend(self, key: str, calls: int) -> bool:
        left, until = self._reservations.get(key, (0, 0.0))
        if left < calls or until < self._clock():
            return False
        self._reservations[key] = (left - calls, until)
        return True
