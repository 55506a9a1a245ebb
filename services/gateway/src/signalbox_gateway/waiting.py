"""Starts that wait in Redis because Temporal was away; each is handed over as soon as Temporal answers."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from signalbox_core.errors import Unavailable
from signalbox_core.pipeline.spec import PipelineSpec
from signalbox_gateway.engine import Engine, Order

log = logging.getLogger(__name__)
_KEY: Final = "signalbox:waiting-starts"
_MAX: Final = 10_000


class WaitingStarts:
    """Orders that were accepted (202) and not yet started. Several gateways may hand over the same one: starting is idempotent."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def keep(self, order: Order) -> Order:
        """Keep the order, unless its run id already waits; the one that is kept is returned.

        Raises:
            Unavailable: Redis is away too, or too many wait.
        """
        try:
            if await self._redis.hlen(_KEY) >= _MAX:
                raise Unavailable("Temporal is away and too many starts wait already; try again later", code="temporal_unavailable")
            await self._redis.hsetnx(_KEY, order.run_id, msgspec.json.encode(order).decode())
            kept = await self._redis.hget(_KEY, order.run_id)
        except RedisError as error:
            raise Unavailable("neither Temporal nor Redis answers right now; send the same request again") from error
        return msgspec.json.decode(kept, type=Order) if kept is not None else order

    async def find(self, run_id: str) -> Order | None:
        try:
            kept = await self._redis.hget(_KEY, run_id)
        except RedisError:
            return None
        return msgspec.json.decode(kept, type=Order) if kept is not None else None

    async def drop(self, run_id: str) -> bool:
        """True when this call removed it."""
        try:
            return bool(await self._redis.hdel(_KEY, run_id))
        except RedisError as error:
            raise Unavailable("Redis does not answer right now; try again") from error

    async def all(self) -> tuple[Order, ...]:
        kept = await self._redis.hgetall(_KEY)
        return tuple(msgspec.json.decode(order, type=Order) for order in kept.values())


class Starter:
    """Hands waiting starts to Temporal until cancelled."""

    def __init__(self, waiting: WaitingStarts, engine: Engine, pipelines: Mapping[str, PipelineSpec], every_s: float = 1.0) -> None:
        self._waiting = waiting
        self._engine = engine
        self._pipelines = pipelines
        self._every_s = every_s

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            try:
                await self.hand_over()
            except (Unavailable, RedisError):
                continue

    async def hand_over(self) -> int:
        """Start what waits; the number of orders that are no longer waiting.

        Raises:
            Unavailable: Temporal is still away.
        """
        handed = 0
        for order in await self._waiting.all():
            spec = self._pipelines.get(order.pipeline)
            if spec is None:
                # Another gateway, of a newer release, knows the pipeline.
                continue
            if not await self._engine.start(order, spec):
                found = await self._engine.describe(order.run_id)
                if found is None or found.digest != order.digest:
                    log.error("a queued run lost its id to another one", extra={"run_id": order.run_id, "tenant": order.tenant})
            await self._waiting.drop(order.run_id)
            handed += 1
            log.info("queued run started", extra={"run_id": order.run_id, "tenant": order.tenant})
        return handed
