"""Recovery after Redis lost its data: seek the Pub/Sub subscription back, and delay repairs meanwhile."""

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
from signalbox_gateway.background.repairs import RunDirectory

log = logging.getLogger(__name__)
SOUGHT_KEY: Final = "signalbox:{reconciler}:replayed"
"""The time of the last seek. The key disappears when Redis loses its data."""
BUSY_KEY: Final = "signalbox:{reconciler}:replaying"
SEEK_GRACE: Final = timedelta(seconds=15)
"""A seek normally takes effect within this time; events younger than `BACKLOG_AGE` arrive within it too."""
MAX_WAIT: Final = timedelta(minutes=2)
"""How long redelivery may delay repairs. Later events are still appended to runs not yet repaired."""
BACKLOG_AGE: Final = timedelta(seconds=30)
"""An event published longer ago than this belongs to a redelivered backlog."""
_BUSY_TTL: Final = timedelta(seconds=5)
_MARK_EVERY_S: Final = 1.0


class RecoveryStep(StrEnum):
    """What the leader does next while Redis is incomplete."""

    SEEK = "seek"
    WAIT = "wait"
    """Events are still being redelivered."""
    REPAIR = "repair"


def recovery_step(
    *, sought_at: datetime | None, is_busy: bool, has_runs: bool, now: datetime
) -> RecoveryStep:
    """Choose the next step while Redis is incomplete. Pure.

    Args:
        sought_at: the time of the seek; None when there was none.
        is_busy: events of the backlog arrived just now.
        has_runs: Temporal has at least one run; False on a new installation.
    """
    if sought_at is None:
        return RecoveryStep.SEEK if has_runs else RecoveryStep.REPAIR
    since = now - sought_at
    return RecoveryStep.WAIT if since < SEEK_GRACE or (is_busy and since < MAX_WAIT) else RecoveryStep.REPAIR


class StreamRecovery:
    """Seeks once per loss of data, by the leader. Redelivery is harmless, because appends are idempotent.

    Args:
        rewind: seeks the subscription back to a time; see `Subscriber.seek`.
    """

    def __init__(
        self, redis: Redis, rewind: Callable[[datetime], Awaitable[None]], runs: RunDirectory
    ) -> None:
        self._redis = redis
        self._rewind = rewind
        self._runs = runs
        self._marked_at = float("-inf")

    async def on_projected(self, published_at: datetime) -> None:
        """Record that an old event was projected, which means that the redelivery is still going on.

        Raises:
            Unavailable: Redis is unavailable.
        """
        now_s = asyncio.get_running_loop().time()
        if now_s - self._marked_at < _MARK_EVERY_S or datetime.now(UTC) - published_at < BACKLOG_AGE:
            return
        with map_redis_errors("stream recovery"):
            await self._redis.set(BUSY_KEY, 1, px=_BUSY_TTL)
        self._marked_at = now_s

    async def is_complete(self, lease: Lease, now: datetime) -> bool:
        """Whether repairs may begin. Called by the leader while Redis is incomplete.

        Raises:
            Unavailable: Redis, Pub/Sub or Temporal is unavailable.
            LeaseLost: another gateway leads.
        """
        sought_at = await lease.get_instant(SOUGHT_KEY)
        with map_redis_errors("stream recovery"):
            is_busy = bool(await self._redis.exists(BUSY_KEY))
        has_runs = sought_at is not None or await self._has_runs()
        step = recovery_step(sought_at=sought_at, is_busy=is_busy, has_runs=has_runs, now=now)
        if step is RecoveryStep.SEEK:
            return not await self._seek(lease, now)
        return step is RecoveryStep.REPAIR

    async def _seek(self, lease: Lease, now: datetime) -> bool:
        """Seek; returns whether it was accepted. A crash before the time is stored only repeats the seek."""
        try:
            await self._rewind(now - RETENTION)
        except Rejected as error:
            # Retried in every round: an operator may fix the cause, and repairs must not wait for that.
            log.error("seeking the Pub/Sub subscription failed", extra={"error": error.detail})
            return False
        await lease.set_instant(SOUGHT_KEY, now)
        log.warning(
            "Redis lost its data: restoring streams from Pub/Sub",
            extra={"since": (now - RETENTION).isoformat()},
        )
        return True

    async def _has_runs(self) -> bool:
        page = await self._runs.list("", limit=1, token=None)
        return bool(page.runs or page.next_token)
