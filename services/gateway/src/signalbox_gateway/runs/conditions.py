"""Which open runs are blocked or queued: written by the leading gateway, replicated in memory by all.

The conditions live in one Redis hash, because a blocked run may have no stream. If Redis loses them, the
leader finds them again.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, cast

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from redis.asyncio import Redis
from redis.exceptions import RedisError

from signalbox_core.events import CloudEvent, decode_event, encode_event
from signalbox_core.events.snapshot import ENDED, BlockedState, QueuedState, Snapshot
from signalbox_core.redis.client import map_redis_errors

log = logging.getLogger(__name__)
CONDITIONS_KEY: Final = "signalbox:conditions"
UNPUBLISHED_KEY: Final = "signalbox:conditions:unpublished"
MAX_CONDITIONS: Final = 5_000
"""The most runs that are recorded as blocked or queued at a time."""
REFRESH_EVERY_S: Final = 1.0


OnRefresh = Callable[[Mapping[tuple[str, str], int]], None]


def _ignore(_: object) -> None: ...


class RunCondition(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a run does not continue: exactly one of `blocked` and `queued` is set."""

    tenant: str
    pipeline: str
    blocked: BlockedState | None = None
    queued: QueuedState | None = None

    @property
    def since(self) -> datetime:
        state = self.blocked or self.queued
        assert state is not None
        return state.since


class RunConditions:
    """The replica of the conditions, refreshed every second.

    Args:
        on_refresh: called with the number of runs by pipeline and code; the code of a queued run is `queued`.
    """

    def __init__(self, redis: Redis, on_refresh: OnRefresh = _ignore) -> None:
        self._redis = redis
        self._on_refresh = on_refresh
        self._known: Mapping[str, RunCondition] = {}

    async def run(self) -> None:
        """Refresh until cancelled; while Redis is unavailable the last conditions stay."""
        while True:
            try:
                await self.refresh()
            except RedisError as error:
                log.warning("conditions of runs not refreshed", extra={"error": str(error)[:300]})
            await asyncio.sleep(REFRESH_EVERY_S)

    async def refresh(self) -> None:
        stored = cast("Mapping[bytes, bytes]", await self._redis.hgetall(CONDITIONS_KEY))
        self._replace(
            {key.decode(): msgspec.json.decode(value, type=RunCondition) for key, value in stored.items()}
        )

    def get(self, key: str) -> RunCondition | None:
        """The condition of the run with this run key."""
        return self._known.get(key)

    def all(self) -> Mapping[str, RunCondition]:
        """The conditions by run key."""
        return self._known

    def annotate(self, snapshot: Snapshot) -> Snapshot:
        """Add the condition of an open run to its snapshot."""
        known = self._known.get(snapshot.key)
        if known is None or snapshot.status in ENDED:
            return snapshot
        return replace(snapshot, blocked=known.blocked, queued=known.queued)

    async def write(self, key: str, condition: RunCondition | None) -> None:
        """Record the condition of a run, or that it has none. Called by the leader.

        Raises:
            Unavailable: Redis is unavailable.
        """
        with map_redis_errors("conditions of runs"):
            if condition is None:
                await self._redis.hdel(CONDITIONS_KEY, key)
            else:
                await self._redis.hset(CONDITIONS_KEY, key, msgspec.json.encode(condition))
        remaining = {known: value for known, value in self._known.items() if known != key}
        self._replace({**remaining, key: condition} if condition is not None else remaining)

    async def add_unpublished(self, event: CloudEvent) -> None:
        """Store an event until Pub/Sub has it. Raises: Unavailable: Redis is unavailable."""
        with map_redis_errors("conditions of runs"):
            await self._redis.hset(UNPUBLISHED_KEY, event.id, encode_event(event))

    async def unpublished(self) -> Sequence[CloudEvent]:
        """The events to publish, oldest first. Raises: Unavailable: Redis is unavailable."""
        with map_redis_errors("conditions of runs"):
            stored = cast("Mapping[bytes, bytes]", await self._redis.hgetall(UNPUBLISHED_KEY))
        return sorted((decode_event(value) for value in stored.values()), key=lambda event: event.time)

    async def remove_unpublished(self, event: CloudEvent) -> None:
        with map_redis_errors("conditions of runs"):
            await self._redis.hdel(UNPUBLISHED_KEY, event.id)

    def _replace(self, known: Mapping[str, RunCondition]) -> None:
        self._known = known
        codes = (
            (held.pipeline, held.blocked.code if held.blocked is not None else "queued")
            for held in known.values()
        )
        self._on_refresh(Counter(codes))
