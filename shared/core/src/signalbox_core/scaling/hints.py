"""Work-remaining hints: what a run still has to schedule, told by its activities, read by the autoscaler.

A pipeline that keeps a few activities in flight never builds a backlog, so nobody can see from outside how much is still to come.
Hints are advice: they live in Redis only, are forgotten a minute after their publisher falls silent, and no run depends on them.
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

from signalbox_core.redis.client import map_redis_errors

log = logging.getLogger(__name__)

FRESH_FOR: Final = timedelta(seconds=60)
"""Publish again within this time while work remains, or the hint no longer counts."""
_KEPT_FOR: Final = timedelta(hours=1)
_PUBLISH_WITHIN_S: Final = 1.0


class Hint(Struct, frozen=True, kw_only=True):
    """What one publisher said last.

    Attributes:
        remaining: activities of this task queue that it has still to schedule; those already scheduled are not counted.
        max_in_flight: the most of them that it will have scheduled at one time; None: no such bound.
        max_rate_per_s: the most of them that may start in a second (a rate limit outside); None: no such bound.
        at: when it said so; aware.
    """

    remaining: Annotated[int, Meta(ge=0)]
    max_in_flight: Annotated[int, Meta(ge=1)] | None = None
    max_rate_per_s: Annotated[float, Meta(gt=0)] | None = None
    at: Annotated[datetime, Meta(tz=True)]

    def is_fresh(self, now: datetime) -> bool:
        """Whether it still counts; a clock that runs ahead gains nothing."""
        return abs(now - self.at) <= FRESH_FOR


class Hints:
    """The board of hints: one Redis hash a task queue, one field a publisher.

    Args:
        client: gives bytes; None (a worker without Redis) makes publishing do nothing.
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
        """Say how much is left; 0 takes the hint back. Replaces what this publisher said before. From activities, never from a workflow.

        Args:
            publisher: the run id; more than one hint of a run needs a suffix of its own.

        Returns:
            Whether it is on the board. It never raises for a Redis that is away: no work may fail for the lack of a hint.
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
            async with asyncio.timeout(_PUBLISH_WITHIN_S), self._redis.pipeline(transaction=True) as pipe:
                if remaining > 0:
                    pipe.hset(hints_key(task_queue), publisher, msgspec.json.encode(hint))
                    pipe.expire(hints_key(task_queue), _KEPT_FOR)
                else:
                    pipe.hdel(hints_key(task_queue), publisher)
                await pipe.execute()
        except (RedisError, OSError) as error:
            log.warning(
                "hint not published",
                extra={"task_queue": task_queue, "publisher": publisher, "reason": type(error).__name__},
            )
            return False
        return True

    async def withdraw(self, task_queue: str, publisher: str) -> bool:
        """Take the hint back: nothing is left, or the run ends."""
        return await self.publish(task_queue, publisher, remaining=0)

    async def read(self, task_queues: Sequence[str], now: datetime) -> Mapping[str, Mapping[str, Hint]]:
        """The fresh hints of each queue by publisher, in one round trip. What is an hour old is swept out.

        Raises:
            Unavailable: Redis does not answer.
        """
        if self._redis is None or not task_queues:
            return {queue: {} for queue in task_queues}
        with map_redis_errors("hints"):
            async with self._redis.pipeline(transaction=False) as pipe:
                for queue in task_queues:
                    pipe.hgetall(hints_key(queue))
                answers: list[Mapping[bytes, bytes]] = await pipe.execute()
            found = {queue: _decoded(answer) for queue, answer in zip(task_queues, answers, strict=True)}
            await self._sweep(found, now)
        return {
            queue: {name: hint for name, hint in hints.items() if hint and hint.is_fresh(now)}
            for queue, hints in found.items()
        }

    async def _sweep(self, found: Mapping[str, Mapping[str, Hint | None]], now: datetime) -> None:
        for queue, hints in found.items():
            old: list[Any] = [
                name for name, hint in hints.items() if hint is None or abs(now - hint.at) > _KEPT_FOR
            ]
            if old and self._redis is not None:
                await self._redis.hdel(hints_key(queue), *old)


def hints_key(task_queue: str) -> str:
    """The Redis key of a task queue's hints."""
    return f"signalbox:hints:{{{task_queue}}}"


def _decoded(answer: Mapping[bytes, bytes]) -> dict[str, Hint | None]:
    return {name.decode(errors="replace"): _hint(value) for name, value in answer.items()}


def _hint(value: bytes) -> Hint | None:
    try:
        return msgspec.json.decode(value, type=Hint)
    except msgspec.MsgspecError:
        return None
