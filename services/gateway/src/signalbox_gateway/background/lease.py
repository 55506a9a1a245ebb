"""One leader among the gateways: a lease in Redis, with a fencing token that refuses the writes of a leader that was replaced."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from signalbox_core.errors import Unavailable
from signalbox_core.process.tasks import end
from signalbox_core.redis.client import unavailable_when_away

# Tokens begin at the server's clock, so that a Redis that forgot them gives none a second time.
_ACQUIRE: Final = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
if redis.call('EXISTS', KEYS[2]) == 0 then redis.call('SET', KEYS[2], redis.call('TIME')[1]) end
local token = redis.call('INCR', KEYS[2])
redis.call('SET', KEYS[1], token, 'PX', ARGV[1])
return token
"""
_RENEW: Final = "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end return redis.call('PEXPIRE', KEYS[1], ARGV[2])"
_RELEASE: Final = (
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
)
_SET: Final = (
    "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end redis.call('SET', KEYS[2], ARGV[2]) return 1"
)


class LeaseLost(Unavailable):
    """Another process leads now."""


class Lease:
    """A lease that ends by itself when its holder is gone.

    Args:
        name: its keys' prefix; has a hash tag, so that they live on one node of a cluster.
        lasts: after a crash of the holder, this is how long nobody leads.
    """

    def __init__(self, redis: Redis, name: str, *, lasts: timedelta = timedelta(seconds=15)) -> None:
        self._redis = redis
        self._holder = f"{name}:lease"
        self._fence = f"{name}:fence"
        self._lasts_ms = int(lasts / timedelta(milliseconds=1))
        self._renew_every_s = lasts.total_seconds() / 3
        self._acquire = redis.register_script(_ACQUIRE)
        self._renew = redis.register_script(_RENEW)
        self._release = redis.register_script(_RELEASE)
        self._set = redis.register_script(_SET)
        self.token = 0

    async def hold(self) -> bool:
        """Keep the lease, or take it when it is free. Raises: Unavailable: Redis is away."""
        with unavailable_when_away("lease"):
            if self.token and await self._renew(keys=[self._holder], args=[self.token, self._lasts_ms]):
                return True
            self.token = int(await self._acquire(keys=[self._holder, self._fence], args=[self._lasts_ms]))
        return self.token != 0

    @asynccontextmanager
    async def renewed(self) -> AsyncIterator[None]:
        """Renew beside the block; the block is cancelled when the lease is lost (LeaseLost, in a group)."""
        async with asyncio.TaskGroup() as group:
            renewing = group.create_task(self._keep_renewing())
            try:
                yield
            finally:
                await end(renewing)

    async def set(self, key: str, value: str) -> None:
        """Write a key, unless a later leader has a newer token.

        Raises:
            LeaseLost: it has, or Redis forgot ours.
        """
        with unavailable_when_away("lease"):
            is_current = await self._set(keys=[self._fence, key], args=[self.token, value])
        if not is_current:
            raise LeaseLost("another gateway leads now")

    async def release(self) -> None:
        with suppress(RedisError, OSError):
            await self._release(keys=[self._holder], args=[self.token])
        self.token = 0

    async def _keep_renewing(self) -> None:
        while True:
            await asyncio.sleep(self._renew_every_s)
            with unavailable_when_away("lease"):
                if not await self._renew(keys=[self._holder], args=[self.token, self._lasts_ms]):
                    raise LeaseLost("another gateway leads now")
