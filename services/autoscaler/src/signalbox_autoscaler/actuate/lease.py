"""The leader's lease: one autoscaler at a time decides and launches; each leadership has an epoch of its own, and epochs only grow.

Everything a leader writes is refused by Redis once its lease is not the one that stands there (`book`), so a leader that was stopped and
goes on later changes nothing. Loss of Redis ends leadership: without it nothing is launched.
"""

import asyncio
import logging
import time
from typing import Final

from redis.asyncio import Redis

from signalbox_core.errors import Unavailable
from signalbox_core.redis.client import unavailable_when_away

log = logging.getLogger(__name__)

LEASE: Final = "signalbox:{autoscaler}:lease"
EPOCH: Final = "signalbox:{autoscaler}:epoch"
TTL_S: Final = 15.0

# KEYS: lease, epoch.  ARGV: owner, ttl in ms.  The epoch that this owner holds, or 0.
_TAKE: Final = """
local held = redis.call('GET', KEYS[1])
local mine = ARGV[1] .. ':'
if held and string.sub(held, 1, #mine) == mine then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return tonumber(string.sub(held, #mine + 1))
end
if held then return 0 end
local epoch = redis.call('INCR', KEYS[2])
redis.call('SET', KEYS[1], mine .. epoch, 'PX', ARGV[2])
return epoch
"""
# KEYS: lease.  ARGV: what stands there when it is ours.
_GIVE_BACK: Final = (
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
)


class Lease:
    """Args:
    owner: of this process alone.
    ttl_s: how long a leader that falls silent stays leader.
    """

    def __init__(self, client: Redis, owner: str, *, ttl_s: float = TTL_S) -> None:
        self._redis = client
        self._owner = owner
        self._ttl_s = ttl_s
        self._take = client.register_script(_TAKE)
        self._give_back = client.register_script(_GIVE_BACK)
        self._epoch = 0
        self._until = 0.0

    @property
    def epoch(self) -> int | None:
        """The epoch while this process leads; None otherwise. Runs out by itself, also while the process is stopped."""
        return self._epoch if self._epoch and time.monotonic() < self._until else None

    @property
    def token(self) -> str:
        """What stands in Redis while this leadership lasts; every write is checked against it."""
        return f"{self._owner}:{self._epoch}"

    async def renew(self) -> int | None:
        """Take the lease if it is free, prolong it if it is ours; the epoch, or None.

        Raises:
            Unavailable: Redis does not answer.
        """
        asked_at = time.monotonic()
        with unavailable_when_away("lease of the autoscaler"):
            epoch = int(await self._take(keys=[LEASE, EPOCH], args=[self._owner, int(self._ttl_s * 1000)]))
        if epoch != self._epoch:
            log.info("leads" if epoch else "follows", extra={"epoch": epoch, "owner": self._owner})
        # Counted from before the request: Redis began to count later.
        self._epoch, self._until = epoch, asked_at + self._ttl_s
        return self.epoch

    async def keep(self) -> None:
        """Renew three times a term, until cancelled."""
        while True:
            try:
                await self.renew()
            except Unavailable as error:
                log.warning("lease not renewed", extra={"detail": error.detail})
            await asyncio.sleep(self._ttl_s / 3)

    async def give_back(self) -> None:
        """Let the next one lead at once; best effort."""
        try:
            with unavailable_when_away("lease of the autoscaler"):
                await self._give_back(keys=[LEASE], args=[self.token])
        except Unavailable as error:
            log.warning("lease not given back", extra={"detail": error.detail})
        self._epoch = 0
