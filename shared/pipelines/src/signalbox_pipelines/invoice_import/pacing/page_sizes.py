"""How large a page the portal can send of a taxpayer's lists: learnt from cut answers, kept in Redis for every later list.

An activity that gives its slot back while the portal recovers would otherwise begin with the large page again and never get to the
small one. Redis key `gdt:page:{MST}`, forgotten a day after the last cut.
"""

from datetime import timedelta
from typing import Final

from redis.asyncio import Redis

from signalbox_core.redis.client import map_redis_errors

_KEEP: Final = timedelta(days=1)
_WHAT: Final = "page size"


class PageSizes:
    """Of all taxpayers."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def known(self, mst: str, usual: int) -> int:
        """The size to begin with: the usual one, or a smaller one that is known to be needed."""
        with map_redis_errors(_WHAT):
            kept = await self._redis.get(_key(mst))
        return usual if kept is None else min(usual, int(kept))

    async def shrink(self, mst: str, size: int) -> None:
        with map_redis_errors(_WHAT):
            await self._redis.set(_key(mst), size, ex=_KEEP)


def _key(mst: str) -> str:
    return f"gdt:page:{{{mst}}}"
