"""Liveness and readiness: alive while the process answers; ready while Redis keeps its promises and a key is there."""

import asyncio
from collections.abc import Callable
from typing import Final, Literal

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

_TIMEOUT_S: Final = 1.0

State = Literal["ok", "unavailable", "evicting", "missing"]


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """The state of each dependency; `redis: evicting` means a nonce could vanish, which makes replay possible."""

    redis: State
    keys: State

    @property
    def is_ready(self) -> bool:
        return self.redis == "ok" and self.keys == "ok"


class Health:
    """Looks at the dependencies when asked."""

    def __init__(self, client: Redis, *, key_count: Callable[[], int]) -> None:
        self._client = client
        self._key_count = key_count

    async def readiness(self) -> Readiness:
        return Readiness(redis=await self._redis(), keys="ok" if self._key_count() else "missing")

    async def _redis(self) -> State:
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                # INFO, not CONFIG GET: managed services refuse the latter.
                memory = await self._client.info("memory")
        except (RedisError, OSError):
            return "unavailable"
        return "ok" if memory.get("maxmemory_policy") == "noeviction" else "evicting"
