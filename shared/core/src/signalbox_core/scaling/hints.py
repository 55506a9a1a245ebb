"""Work-remaining hints: how much a run still has to schedule, published by its activities for the autoscaler.

A pipeline that keeps only a few activities in flight never builds a backlog, so its remaining work is not
visible from outside. Hints are advisory: they are in Redis only, expire a minute after the last update, and
no run depends on them.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct
from redis.asyncio import Redis
from redis.exceptions import RedisError

from signalbox_core.errors import Unavailable
from signalbox_core.redis.client import map_redis_errors

log = logging.getLogger(__name__)

FRESH_FOR: Final = timedelta(seconds=60)
"""A hint expires after this time unless its publisher updates it."""
_RETENTION: Final = timedelta(hours=1)
_PUBLISH_TIMEOUT_S: Final = 1.0


class Hint(Struct, frozen=True, kw_only=True):
    """The latest hint of one publisher.

    Attributes:
        remaining: activities of this task queue that are not scheduled yet.
        max_in_flight: the most activities that it schedules at a time; None: unbounded.
        max_rate_per_s: the most activities that may start per second (an external rate limit); None:
            unbounded.
        at: when it was published; timezone-aware.
    """

    remaining: Annotated[int, Meta(ge=0)]
    max_in_flight: Annotated[int, Meta(ge=1)] | None = None
    max_rate_per_s: Annotated[float, Meta(gt=0)] | None = None
    at: Annotated[datetime, Meta(tz=True)]

    def is_fresh(self, now: datetime) -> bool:
        """Return whether the hint is neither expired nor from a clock that is too far ahead."""
        return abs(now - self.at) <= FRESH_FOR


class Hints:
    """Publishes and reads hints: one Redis hash per task queue, one field per publisher.

    Args:
        client: returns bytes. None (a worker without Redis) turns publishing into a no-op.
    """

    def __init__(self, client: Redis | None) -> None:
        self._redis = client

    async def publish(
        self,
        task_queue: str,
        publisher: str,
        *,
        remaining: int,
        max_in_flight: int | None = None,
        max_rate_per_s: float | None = None,
    ) -> bool:
        """Publish how much work remains, replacing this publisher's earlier hint; 0 withdraws it.

        Call it from activities, never from a workflow. It never raises when Redis is unavailable, so that no
        work fails for lack of a hint.

        Args:
            publisher: the run id, with a suffix if the run publishes more than one hint for the queue.

        Returns:
            Whether the hint was published.
        """
        if self._redis is None:
            return False
        hint = Hint(
            remaining=remaining,
            max_in_flight=max_in_flight,
            max_rate_per_s=max_rate_per_s,
            at=datetime.now(UTC),
        )
        try:
            with map_redis_errors("hints"):
                async with (
                    asyncio.timeout(_PUBLISH_TIMEOUT_S),
                    self._redis.pipeline(transaction=True) as pipe,
                ):
                    if remaining > 0:
                        pipe.hset(hints_key(task_queue), publisher, msgspec.json.encode(hint))
                        pipe.expire(hints_key(task_queue), _RETENTION)
                    else:
                        pipe.hdel(hints_key(task_queue), publisher)
                    await pipe.execute()
        except (Unavailable, RedisError) as error:
            log.warning(
                "hint not published",
                extra={"task_queue": task_queue, "publisher": publisher, "reason": str(error)},
            )
            return False
        return True

    async def withdraw(self, task_queue: str, publisher: str) -> bool:
        """Withdraw the hint: no work remains, or the run ends."""
        return await self.publish(task_queue, publisher, remaining=0)

    async def read(self, task_queues: Sequence[str], now: datetime) -> Mapping[str, Mapping[str, Hint]]:
        """Return the fresh hints of each queue by publisher, in one round trip.

        Deletes hints that are older than an hour.

        Raises:
            Unavailable: Redis does not respond.
        """
        if self._redis is None or not task_queues:
            return {queue: {} for queue in task_queues}
        with map_redis_errors("hints"):
            async with self._redis.pipeline(transaction=False) as pipe:
                for queue in task_queues:
                    pipe.hgetall(hints_key(queue))
                answers: list[Mapping[bytes, bytes]] = await pipe.execute()
            found = {queue: _decoded(answer) for queue, answer in zip(task_queues, answers, strict=True)}
            await self._delete_old(found, now)
        return {
            queue: {name: hint for name, hint in hints.items() if hint and hint.is_fresh(now)}
            for queue, hints in found.items()
        }

    async def _delete_old(self, found: Mapping[str, Mapping[str, Hint | None]], now: datetime) -> None:
        for queue, hints in found.items():
            old: list[Any] = [
                name for name, hint in hints.items() if hint is None or abs(now - hint.at) > _RETENTION
            ]
            if old and self._redis is not None:
                await self._redis.hdel(hints_key(queue), *old)


def hints_key(task_queue: str) -> str:
    """Return the Redis key of a task queue's hints."""
    return f"signalbox:hints:{{{task_queue}}}"


def _decoded(answer: Mapping[bytes, bytes]) -> dict[str, Hint | None]:
    return {name.decode(errors="replace"): _hint(value) for name, value in answer.items()}


def _hint(value: bytes) -> Hint | None:
    try:
        return msgspec.json.decode(value, type=Hint)
    except msgspec.MsgspecError:
        return None
