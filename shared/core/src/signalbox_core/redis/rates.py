"""How fast one key, principal or address may call, counted over all replicas in Redis.

The counting is the `limits` library's (a sliding window). A round trip for every call would cost a fifth of its CPU, so a replica takes
a twentieth of a second's share at once and spends it from memory.
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
from redis.exceptions import RedisError

from signalbox_core.bounded_dict import BoundedDict
from signalbox_core.errors import RateLimited, Unavailable

_WINDOW_S: Final = 2
_SHARES_PER_S: Final = 20
_SHARE_GOOD_FOR_S: Final = 1.0
_MAX_SHARES: Final = 10_000


class Rates(Protocol):
    """Counts calls."""

    async def take(self, key: str) -> None:
        """Count one call of this key.

        Raises:
            RateLimited: the key has used up its rate; says when to come again.
            Unavailable: the count is away.
        """
        ...


class RedisRates:
    """Shares of a rate, drawn from Redis; their number in memory is bounded.

    Args:
        of: what is counted, apart from other counts in the same Redis.
        within_s: how long a call may wait for its count.
    """

    def __init__(
        self,
        client: Redis,
        *,
        per_s: int,
        of: str,
        within_s: float = 0.9,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        # The library's annotation knows plain options only; its documentation says that it takes a pool.
        options = cast(Any, {"connection_pool": client.connection_pool})
        storage = RedisStorage("redis://", implementation="redispy", key_prefix=f"rates:{of}", **options)
        self._limiter = SlidingWindowCounterRateLimiter(storage)
        self._item = RateLimitItemPerSecond(per_s * _WINDOW_S, _WINDOW_S)
        self._share = max(1, per_s // _SHARES_PER_S)
        self._within_s = within_s
        self._clock = clock
        self._shares = BoundedDict[str, tuple[int, float]](_MAX_SHARES)
        self._refused_until: dict[str, float] = {}
        self._drawing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def take(self, key: str) -> None:
        self._check_refusal(key)
        if self._spend(key):
            return
        # One at a time: calls that arrive together spend the share that the first of them draws.
        drawing = self._drawing.setdefault(key, asyncio.Lock())
        try:
            async with asyncio.timeout(self._within_s), drawing:
                self._check_refusal(key)
                if not self._spend(key):
                    await self._draw(key)
        except (RedisError, OSError) as error:
            raise Unavailable("calls cannot be counted now; try again", code="claims_unavailable") from error

    async def _draw(self, key: str) -> None:
        if await self._limiter.hit(self._item, key, cost=self._share):
            # One of them is for the call that drew.
            self._keep(key, self._share - 1, self._clock() + _SHARE_GOOD_FOR_S)
            return
        stats = await self._limiter.get_window_stats(self._item, key)
        wait_s = min(float(_WINDOW_S), max(0.1, stats.reset_time - time.time()))
        # Whoever floods is refused from memory: asking Redis each time would make the others of this key wait.
        self._refused_until[key] = self._clock() + wait_s
        self._check_refusal(key)

    def _check_refusal(self, key: str) -> None:
        wait_s = self._refused_until.get(key, 0.0) - self._clock()
        if wait_s > 0:
            raise RateLimited("too many requests; slow down", retry_after_s=wait_s)
        if self._refused_until.pop(key, None) is None and len(self._refused_until) > _MAX_SHARES:
            self._refused_until.clear()

    def _spend(self, key: str) -> bool:
        left, until = self._shares.get(key, (0, 0.0))
        if left < 1 or until < self._clock():
            return False
        self._keep(key, left - 1, until)
        return True

    def _keep(self, key: str, left: int, until: float) -> None:
        """A share that is forgotten is drawn anew: no harm, as a share is small."""
        self._shares[key] = (left, until)
