"""Readiness: Redis responds and never evicts, and at least one sender key is loaded."""

import asyncio
from collections.abc import Callable
from typing import Final, Literal

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

_PROBE_TIMEOUT_S: Final = 1.0

State = Literal["ok", "unavailable", "evicting", "missing"]


class ReceiverReadiness(msgspec.Struct, frozen=True, kw_only=True):
    """The state of each dependency.

    `redis: evicting` means that Redis may drop a nonce, and a replayed delivery would be accepted.
    """

    redis: State
    keys: State

    @property
    def is_ready(self) -> bool:
        return self.redis == "ok" and self.keys == "ok"


class ReceiverHealth:
    """Probes the dependencies at each call."""

    def __init__(self, client: Redis, *, key_count: Callable[[], int]) -> None:
        self._client = client
        self._key_count = key_count

    async def readiness(self) -> ReceiverReadiness:
        return ReceiverReadiness(
            redis=await self._probe_redis(), keys="ok" if self._key_count() else "missing"
        )

    async def _probe_redis(self) -> State:
        try:
            async with asyncio.timeout(_PROBE_TIMEOUT_S):
                # Unlike INFO, PING is refused while Redis cannot write to its disk.
                await self._client.ping()
                # INFO, not CONFIG GET: managed services refuse the latter.
                memory = await self._client.info("memory")
        except (RedisError, OSError):
            return "unavailable"
        return "ok" if memory.get("maxmemory_policy") == "noeviction" else "evicting"
