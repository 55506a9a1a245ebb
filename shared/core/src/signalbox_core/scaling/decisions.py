"""Scaling decisions as the autoscaler publishes them: a view of each in a bounded Redis stream per queue.

The same entries hold the complete records, which only the autoscaler reads.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, cast

import msgspec
from msgspec import Struct
from redis.asyncio import Redis

from signalbox_core.redis.client import map_redis_errors

QUEUES: Final = "signalbox:decisions"
"""The set of task queues that have scaling decisions."""
VIEW: Final = b"view"
RECORD: Final = b"record"


def stream_key(queue: str) -> str:
    return f"signalbox:decisions:{{{queue}}}"


class ScalingDecisionView(Struct, frozen=True, kw_only=True):
    """One scaling decision about one task queue, for people.

    Attributes:
        id: of the stream entry; later entries have greater ids.
        binding: the constraint that determined the number of launches.
        capacity, used, pending: slots of running workers, slots in use, slots of workers that are starting.
        workers: burst workers running or starting.
        launched, retired, cancelled: burst workers launched or asked to drain; launches cancelled.
        spent_hour, spent_day: money reserved or spent in this hour and day, in `currency`; empty: no budget
            is set.
        budget_hour, budget_day: the limits; empty: none.
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


class ScalingDecisionStream:
    """Reads the published scaling decisions.

    Raises:
        Unavailable: from every method, when Redis is unavailable.
    """

    def __init__(self, client: Redis) -> None:
        self._redis = client

    async def queues(self) -> list[str]:
        with map_redis_errors("decisions"):
            return sorted(name.decode() for name in cast("set[bytes]", await self._redis.smembers(QUEUES)))

    async def newest(self, queue: str, *, limit: int) -> list[ScalingDecisionView]:
        """Return the newest decisions, newest first."""
        with map_redis_errors("decisions"):
            return _views(await self._redis.xrevrange(stream_key(queue), count=limit))

    async def after(self, queue: str, entry_id: str, *, limit: int = 500) -> list[ScalingDecisionView]:
        """Return the decisions after `entry_id`, oldest first (empty: from the oldest in the stream)."""
        with map_redis_errors("decisions"):
            return _views(
                await self._redis.xrange(
                    stream_key(queue), min=f"({entry_id}" if entry_id else "-", count=limit
                )
            )


def _views(found: object) -> list[ScalingDecisionView]:
    entries = cast("Sequence[tuple[bytes, Mapping[bytes, bytes]]]", found)
    return [
        msgspec.structs.replace(_DECODER.decode(fields[VIEW]), id=entry_id.decode())
        for entry_id, fields in entries
    ]


_DECODER: Final = msgspec.json.Decoder(ScalingDecisionView)
