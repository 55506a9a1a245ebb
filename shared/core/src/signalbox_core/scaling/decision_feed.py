"""What the autoscaler tells other services of its decisions: a view of each, in a Redis stream per task queue, newest kept.

The whole records (for replays) are beside the views in the same entries; only the autoscaler reads them.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, cast

import msgspec
from msgspec import Struct
from redis.asyncio import Redis

from signalbox_core.redis.client import map_redis_errors

QUEUES: Final = "signalbox:decisions"
"""The set of task queues that were ever decided about."""
VIEW: Final = b"view"
RECORD: Final = b"record"


def stream_key(queue: str) -> str:
    return f"signalbox:decisions:{{{queue}}}"


class DecisionView(Struct, frozen=True, kw_only=True):
    """One decision about one task queue, as people look at it.

    Attributes:
        id: of the entry; later ones sort behind it.
        binding: the constraint that set the number of launches.
        capacity, used, pending: slots that take work, that are in use, that are on their way.
        workers: burst workers alive or on their way.
        launched, retired, cancelled: burst workers launched and told to drain, launches given up.
        spent_hour, spent_day: money reserved or spent in this hour and day, in `currency`; empty: no budget is kept.
        budget_hour, budget_day: empty: no limit.
    """

    id: str = ""
    at: datetime
    queue: str
    action: str
    binding: str
    sentence: str
    backlog: int = 0
    hint: int = 0
    oldest_s: float = 0.0
    capacity: int = 0
    used: int = 0
    pending: int = 0
    workers: int = 0
    launched: int = 0
    retired: int = 0
    cancelled: int = 0
    service_s: float = 0.0
    rate_per_s: float = 0.0
    target_s: float = 0.0
    predicted_drain_s: float | None = None
    spent_hour: str = ""
    spent_day: str = ""
    budget_hour: str = ""
    budget_day: str = ""
    currency: str = "USD"
    dry_run: bool = False


class DecisionFeed:
    """Reads the views.

    Raises:
        Unavailable: from every method, when Redis is away.
    """

    def __init__(self, client: Redis) -> None:
        self._redis = client

    async def queues(self) -> list[str]:
        with map_redis_errors("decisions"):
            return sorted(name.decode() for name in cast("set[bytes]", await self._redis.smembers(QUEUES)))

    async def newest(self, queue: str, *, limit: int) -> list[DecisionView]:
        """Newest first."""
        with map_redis_errors("decisions"):
            return _views(await self._redis.xrevrange(stream_key(queue), count=limit))

    async def after(self, queue: str, entry_id: str, *, limit: int = 500) -> list[DecisionView]:
        """Oldest first; only those behind `entry_id` (empty: from the first that is kept)."""
        with map_redis_errors("decisions"):
            return _views(
                await self._redis.xrange(
                    stream_key(queue), min=f"({entry_id}" if entry_id else "-", count=limit
                )
            )


def _views(found: object) -> list[DecisionView]:
    entries = cast("Sequence[tuple[bytes, Mapping[bytes, bytes]]]", found)
    return [
        msgspec.structs.replace(_DECODER.decode(fields[VIEW]), id=entry_id.decode())
        for entry_id, fields in entries
    ]


_DECODER: Final = msgspec.json.Decoder(DecisionView)
