"""After Redis lost its data: have Pub/Sub tell again what it keeps, and let that come before any repair."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from redis.asyncio import Redis

from signalbox_core.errors import Rejected
from signalbox_core.redis.client import map_redis_errors
from signalbox_core.redis.lease import Lease
from signalbox_core.topology import RETENTION
from signalbox_gateway.background.repairs import KnownRuns

log = logging.getLogger(__name__)
SOUGHT_KEY: Final = "signalbox:{reconciler}:replayed"
"""When the projection that is in Redis now was asked for from Pub/Sub. It goes when Redis loses its data."""
BUSY_KEY: Final = "signalbox:{reconciler}:replaying"
HEAD_START: Final = timedelta(seconds=15)
"""A seek takes effect within this time, normally, and what is younger than `OLD` comes within it too."""
AT_MOST: Final = timedelta(minutes=2)
"""So long may a replay that goes on hold up the repairs. What comes later still finds its place, unless it was repaired by then."""
OLD: Final = timedelta(seconds=30)
_BUSY_FOR: Final = timedelta(seconds=5)
_SAY_EVERY_S: Final = 1.0


class Step(StrEnum):
    SEEK = "seek"
    WAIT = "wait"
    """The replay has the word."""
    REPAIR = "repair"


def decide(*, sought_at: datetime | None, is_busy: bool, knows_runs: bool, now: datetime) -> Step:
    """What comes next for a Redis that is not whole. Pure.

    Args:
        sought_at: when the replay was asked for; None: it was not.
        is_busy: old events came in just now.
        knows_runs: Temporal knows of any run; it does not when everything is started for the first time.
    """
    if sought_at is None:
        return Step.SEEK if knows_runs else Step.REPAIR
    since = now - sought_at
    return Step.WAIT if since < HEAD_START or (is_busy and since < AT_MOST) else Step.REPAIR


class Replay:
    """Asked for once for each loss, by the gateway that leads; told again and again it changes nothing, as the append is idempotent.

    Args:
        rewind: has everything since a time delivered again; see `Subscriber.seek`.
    """

    def __init__(self, redis: Redis, rewind: Callable[[datetime], Awaitable[None]], runs: KnownRuns) -> None:
        self._redis = redis
        self._rewind = rewind
        self._runs = runs
        self._said_at = float("-inf")

    async def saw(self, published_at: datetime) -> None:
        """An event was projected: an old one says that a replay goes on. Raises: Unavailable: Redis is away."""
        now_s = asyncio.get_running_loop().time()
        if now_s - self._said_at < _SAY_EVERY_S or datetime.now(UTC) - published_at < OLD:
            return
        with map_redis_errors("replay"):
            await self._redis.set(BUSY_KEY, 1, px=_BUSY_FOR)
        self._said_at = now_s

    async def is_over(self, lease: Lease, now: datetime) -> bool:
        """Whether repairs may begin; called by the leader while Redis is not whole.

        Raises:
            Unavailable: Redis, Pub/Sub or Temporal is away.
            LeaseLost: another gateway leads.
        """
        sought_at = await lease.get_instant(SOUGHT_KEY)
        with map_redis_errors("replay"):
            is_busy = bool(await self._redis.exists(BUSY_KEY))
        knows_runs = sought_at is not None or await self._knows_runs()
        step = decide(sought_at=sought_at, is_busy=is_busy, knows_runs=knows_runs, now=now)
        if step is Step.SEEK:
            return not await self._seek(lease, now)
        return step is Step.REPAIR

    async def _seek(self, lease: Lease, now: datetime) -> bool:
        """Whether there is something to wait for. A crash before the mark is set only asks a second time."""
        try:
            await self._rewind(now - RETENTION)
        except Rejected as error:
            # Tried again at every round until one is whole: an operator may mend it, and repairs must not wait for that.
            log.error("streams do not come back from Pub/Sub", extra={"error": error.detail})
            return False
        await lease.set_instant(SOUGHT_KEY, now)
        log.warning(
            "Redis lost its data: the streams come back from Pub/Sub",
            extra={"since": (now - RETENTION).isoformat()},
        )
        return True

    async def _knows_runs(self) -> bool:
        page = await self._runs.list("", limit=1, token=None)
        return bool(page.runs or page.next_token)
