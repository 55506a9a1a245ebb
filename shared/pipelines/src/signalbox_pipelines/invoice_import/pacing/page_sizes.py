"""The page size that the portal can send for a taxpayer, learnt from truncated responses and shared in Redis.

Without it, an activity that ends while the portal recovers would start with the large page again and never
reach the small one. The Redis key `gdt:page:{MST}` expires a day after the last truncation.
"""

from datetime import timedelta
from typing import Final

from redis.asyncio import Redis

from signalbox_core.redis.client import map_redis_errors

_EXPIRY: Final = timedelta(days=1)
_WHAT: Final = "page size"


class PageSizeStore:
    """Page sizes by taxpayer."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def get(self, mst: str, default: int) -> int:
        """Return the page size to start with: the default, or a smaller one that was needed before."""
        with map_redis_errors(_WHAT):
            stored = await self._redis.get(_key(mst))
        return default if stored is None else min(default, int(stored))

    async def shrink(self, mst: str, size: int) -> None:
        with map_redis_errors(_WHAT):
            await self._redis.set(_key(mst), size, ex=_EXPIRY)


def _key(mst: str) -> str:
    return f"gdt:page:{{{mst}}}"
