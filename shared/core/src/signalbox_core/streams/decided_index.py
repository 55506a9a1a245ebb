"""The index of a tenant's latest decided approvals, ordered by the time of the decision.

An entry holds what the event says; the title is read from the run's marks. Writing is idempotent.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, cast

import msgspec
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from signalbox_core.redis.client import map_redis_errors
from signalbox_core.streams.approval_marks import decided_mark_names, listed_decisions
from signalbox_core.streams.keys import RunKeys, decided_key
from signalbox_core.streams.run_stream import MAX_DECIDED, DecidedItem

_KEPT: Final = timedelta(days=7)
"""After the last decision of the tenant; the streams that the entries need are kept for as long."""


class DecidedIndex:
    """Reads the index."""

    def __init__(self, client: Redis) -> None:
        self._redis = client

    async def newest(self, tenant: str, limit: int) -> tuple[DecidedItem, ...]:
        """See `RunStream.decided`."""
        with map_redis_errors("decided approvals"):
            members = cast(
                "list[bytes]",
                await self._redis.zrevrange(decided_key(tenant), 0, min(limit, MAX_DECIDED) - 1),
            )
            items = [msgspec.json.decode(member, type=DecidedItem) for member in members]
            async with self._redis.pipeline(transaction=False) as pipe:
                for item in items:
                    pipe.hmget(RunKeys(item.run_id).meta, *decided_mark_names(item.approval_id))
                rows = await pipe.execute() if items else []
        return listed_decisions(
            [
                (item, dict(zip(decided_mark_names(item.approval_id), row, strict=True)))
                for item, row in zip(items, rows, strict=True)
            ]
        )


def add_decisions(pipe: Pipeline, tenant: str, items: Sequence[DecidedItem]) -> None:
    """Add entries, whose `run_id` is the key of a stream, and remove the oldest above the limit."""
    if not items:
        return
    index = decided_key(tenant)
    pipe.zadd(index, {msgspec.json.encode(item): item.decided_at.timestamp() for item in items})
    pipe.zremrangebyrank(index, 0, -MAX_DECIDED - 1)
    pipe.expire(index, _KEPT)
