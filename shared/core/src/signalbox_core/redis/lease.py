"""Leader election: a lease in Redis whose epoch is a fencing token.

One process at a time holds the lease. Every leadership has an epoch that is greater than all epochs before
it, also when Redis has lost its data in between. Writes of a leader compare the lease in the same Lua
script, so a leader that was paused and replaced cannot write any more.
"""

import asyncio
import logging
import os
import socket
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from signalbox_core.errors import Unavailable
from signalbox_core.process.tasks import cancel_and_wait
from signalbox_core.redis.client import map_redis_errors, refusal

log = logging.getLogger(__name__)

LEASE_TTL: Final = timedelta(seconds=15)

# KEYS: lease, epoch.  ARGV: owner, ttl in ms, greatest epoch that this process has held.
# Returns the epoch that this owner holds, or 0. A new epoch is at least the server's clock in microseconds,
# so a Redis that lost the stored epoch still gives a greater one.
_ACQUIRE_OR_RENEW: Final = """
local held = redis.call('GET', KEYS[1])
local mine = ARGV[1] .. ':'
if held and string.sub(held, 1, #mine) == mine then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return tonumber(string.sub(held, #mine + 1))
end
if held then return 0 end
local now = redis.call('TIME')
local stored = tonumber(redis.call('GET', KEYS[2]) or '0')
local epoch = math.max(now[1] * 1000000 + now[2], stored + 1, tonumber(ARGV[3]) + 1)
local text = string.format('%.0f', epoch)
redis.call('SET', KEYS[2], text)
redis.call('SET', KEYS[1], mine .. text, 'PX', ARGV[2])
return epoch
"""
# KEYS: lease.  ARGV: token.
_RELEASE: Final = (
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
)
# KEYS: lease, key.  ARGV: token, value.
_FENCED_SET: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2])
return 1
"""


class LeaseLost(Unavailable):
    """This process does not hold the lease any more; another process may lead."""


class LeaseKeys(Struct, frozen=True, kw_only=True):
    """The Redis keys of a lease. They share a hash tag with every key that is written under the lease."""

    lease: str
    epoch: str


class Lease:
    """A lease that expires when its owner stops renewing it.

    Args:
        owner: identifies this process among all that compete for the lease; unique when omitted.
        ttl: how long there is no leader after the owner has crashed.

    Attributes:
        problem: why `keep_renewing` could not renew it the last time; None when it could.
    """

    def __init__(
        self, redis: Redis, keys: LeaseKeys, *, owner: str | None = None, ttl: timedelta = LEASE_TTL
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._owner = owner or f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._ttl_s = ttl.total_seconds()
        self._acquire_or_renew = redis.register_script(_ACQUIRE_OR_RENEW)
        self._release = redis.register_script(_RELEASE)
        self._fenced_set = redis.register_script(_FENCED_SET)
        self._epoch = 0
        self._greatest_epoch = 0
        self._valid_until = 0.0
        self.problem: str | None = None

    @property
    def key(self) -> str:
        """The Redis key that holds the leader's token, for scripts that compare it before they write."""
        return self._keys.lease

    @property
    def epoch(self) -> int | None:
        """The epoch while this process leads, else None.

        It expires by the local clock, so a process that was paused does not take itself for the leader.
        """
        return self._epoch if self._epoch and time.monotonic() < self._valid_until else None

    @property
    def token(self) -> str:
        """The value of `key` while this leadership lasts."""
        return self.token_of(self._epoch)

    def token_of(self, epoch: int) -> str:
        """The token of this process in a given epoch."""
        return f"{self._owner}:{epoch}"

    async def renew(self) -> int | None:
        """Renew the lease, or acquire it when it is free.

        Returns:
            The epoch while this process leads, else None.

        Raises:
            Unavailable: Redis does not respond.
        """
        started_at = time.monotonic()
        arguments: list[str | int] = [self._owner, int(self._ttl_s * 1000), self._greatest_epoch]
        with map_redis_errors(f"lease {self.key}"):
            epoch = int(await self._acquire_or_renew(keys=[self.key, self._keys.epoch], args=arguments))
        if epoch != self._epoch:
            log.info("lease acquired" if epoch else "lease not held", extra=self._facts(epoch))
        # Counted from before the request, as Redis starts its own count later.
        self._epoch, self._valid_until = epoch, started_at + self._ttl_s
        self._greatest_epoch = max(self._greatest_epoch, epoch)
        return self.epoch

    async def keep_renewing(self) -> None:
        """Renew or acquire the lease three times per ttl until cancelled; errors of Redis are logged."""
        while True:
            try:
                await self.renew()
                self.problem = None
            except Unavailable as error:
                self.problem = error.detail
                log.warning("lease not renewed", extra={"lease": self.key, "detail": error.detail})
            except ResponseError as error:
                self.problem = refusal(error)
                log.error("lease not renewed", extra={"lease": self.key, "detail": self.problem})
            await asyncio.sleep(self._ttl_s / 3)

    @asynccontextmanager
    async def renewed(self) -> AsyncIterator[None]:
        """Renew the lease while the block runs.

        Raises:
            ExceptionGroup: with LeaseLost when the leadership ended, or Unavailable when Redis did not
                answer; the block was cancelled.
        """
        async with asyncio.TaskGroup() as group:
            renewing = group.create_task(self._renew_or_fail(self._epoch))
            try:
                yield
            finally:
                await cancel_and_wait(renewing)

    async def get_instant(self, key: str) -> datetime | None:
        """Read an instant that `set_instant` wrote.

        Raises:
            Unavailable: Redis does not respond.
        """
        with map_redis_errors(key):
            text = await self._redis.get(key)
        if text is None:
            return None
        return datetime.fromisoformat(text.decode() if isinstance(text, bytes) else text)

    async def set_instant(self, key: str, at: datetime) -> None:
        """Write an instant under the lease.

        Raises:
            LeaseLost: this process does not hold the lease any more; nothing was written.
            Unavailable: Redis does not respond.
        """
        with map_redis_errors(key):
            is_written = await self._fenced_set(keys=[self.key, key], args=[self.token, at.isoformat()])
        if not is_written:
            raise self._lost()

    async def release(self) -> None:
        """Give up the lease so that another process can lead at once; errors of Redis are logged only."""
        try:
            with map_redis_errors(f"lease {self.key}"):
                await self._release(keys=[self.key], args=[self.token])
        except Unavailable as error:
            log.warning("lease not released", extra={"lease": self.key, "detail": error.detail})
        except ResponseError as error:
            log.error("lease not released", extra={"lease": self.key, "detail": refusal(error)})
        self._epoch = 0

    async def _renew_or_fail(self, epoch: int) -> None:
        while True:
            await asyncio.sleep(self._ttl_s / 3)
            if await self.renew() != epoch:
                raise self._lost()

    def _lost(self) -> LeaseLost:
        return LeaseLost(f"lease {self.key}: this process is no longer the leader")

    def _facts(self, epoch: int) -> dict[str, object]:
        return {"lease": self.key, "epoch": epoch, "owner": self._owner}
