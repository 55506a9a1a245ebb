"""How fast one key may deliver, counted over all replicas in Redis; only proven deliveries are counted.

The counting is the `limits` library's (a sliding window). A round trip for every delivery would cost a fifth of its CPU,
so a replica takes a twentieth of a second's share at once and spends it from memory.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Final, Protocol, cast

from limits import RateLimitItemPerSecond
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from redis.asyncio import Redis
from redis.exceptions import RedisError

from signalbox_core.errors import RateLimited, Unavailable

_WINDOW_S: Final = 2
_SHARES_PER_S: Final = 20
_SHARE_GOOD_FOR_S: Final = 1.0
_TIMEOUT_S: Final = 0.9


class Rates(Protocol):
    """Counts deliveries."""

    async def take(self, keyid: str) -> None:
        """Count one delivery of a proven key.

        Raises:
            RateLimited: the key has used up its rate; says when to come again.
            Unavailable: the count is away.
        """
        ...


class RedisRates:
    """Shares of a rate, drawn from Redis; their number in memory is bounded by the number of keys."""

    def __init__(self, client: Redis, *, per_s: int, clock: Callable[[], float] = time.monotonic) -> None:
        # The library's annotation knows plain options only; its documentation says that it takes a pool.
        options = cast(Any, {"connection_pool": client.connection_pool})
        storage = RedisStorage("redis://", implementation="redispy", key_prefix="rates", **options)
        self._limiter = SlidingWindowCounterRateLimiter(storage)
        self._item = RateLimitItemPerSecond(per_s * _WINDOW_S, _WINDOW_S)
        self._share = max(1, per_s // _SHARES_PER_S)
        self._clock = clock
        self._shares: dict[str, tuple[int, float]] = {}
        self._drawing: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def take(self, keyid: str) -> None:
        if self._spend(keyid):
            return
        try:
            # One at a time: deliveries that arrive together spend the share that the first of them draws.
            async with asyncio.timeout(_TIMEOUT_S), self._drawing[keyid]:
                if not self._spend(keyid):
                    await self._draw(keyid)
        except (RedisError, OSError) as error:
            raise Unavailable("the receiver cannot count deliveries now; send the delivery again", code="claims_unavailable") from error

    async def _draw(self, keyid: str) -> None:
        if await self._limiter.hit(self._item, keyid, cost=self._share):
            # One of them is for the delivery that drew.
            self._shares[keyid] = (self._share - 1, self._clock() + _SHARE_GOOD_FOR_S)
            return
        stats = await self._limiter.get_window_stats(self._item, keyid)
        wait_s = min(float(_WINDOW_S), max(0.1, stats.reset_time - time.time()))
        raise RateLimited("this key sends too fast; slow down", retry_after_s=wait_s)

    def _spend(self, keyid: str) -> bool:
        left, until = self._shares.get(keyid, (0, 0.0))
        if left < 1 or until < self._clock():
            return False
        self._shares[keyid] = (left - 1, until)
        return True
