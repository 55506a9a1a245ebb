"""The state of deliveries in Redis, which all gateways share: what was sent, and how destinations do."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, Literal, cast

import msgspec
from msgspec import Struct
from redis.asyncio import Redis

from signalbox_core.redis.client import map_redis_errors
from signalbox_core.topology import RETENTION

_CLAIM_TTL: Final = timedelta(minutes=2)
"""Longer than an attempt can take; a delivery that a crash has interrupted is attempted again after it."""
_SETTLED_TTL: Final = RETENTION + timedelta(days=1)
"""Longer than Pub/Sub can redeliver the event."""
_CLAIMED: Final = b"claimed"
_DEFERRED: Final = b"deferred"


class DeliveryClaim(StrEnum):
    """Whether this gateway may attempt a delivery now."""

    GRANTED = "granted"
    BUSY = "busy"
    """Another gateway attempts it, or the destination asked for a delay that has not passed."""
    SETTLED = "settled"
    """It was sent, or has permanently failed."""


class DestinationState(Struct, frozen=True, kw_only=True):
    """How the last attempts of a destination went.

    Attributes:
        status: `ok`, `retrying` after a temporary failure, `failed` when a notification was given up.
        at: of the last attempt.
        error: why the last attempt failed.
        failing_since: the first failure after the last success.
    """

    status: Literal["ok", "retrying", "failed"]
    at: datetime
    error: str | None = None
    failing_since: datetime | None = None


class DeliveryRecords:
    """Claims deliveries, so that each is made once over all gateways, and keeps the state of destinations.

    All methods raise Unavailable when Redis does not respond.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def claim(self, delivery: str) -> DeliveryClaim:
        """Claim a delivery, for at most two minutes."""
        key = _delivery_key(delivery)
        with map_redis_errors(key):
            if await self._redis.set(key, _CLAIMED, nx=True, px=_CLAIM_TTL):
                return DeliveryClaim.GRANTED
            found = await self._redis.get(key)
        # None: it expired in between; the redelivery of the event finds it free.
        return DeliveryClaim.BUSY if found in (None, _CLAIMED, _DEFERRED) else DeliveryClaim.SETTLED

    async def settle(self, delivery: str, outcome: Literal["sent", "failed"]) -> None:
        """Record that a delivery needs no further attempt."""
        key = _delivery_key(delivery)
        with map_redis_errors(key):
            await self._redis.set(key, outcome, px=_SETTLED_TTL)

    async def release(self, delivery: str, wait: timedelta) -> None:
        """Give up a claim; the next attempt is possible after `wait`."""
        key = _delivery_key(delivery)
        with map_redis_errors(key):
            if wait > timedelta():
                await self._redis.set(key, _DEFERRED, px=max(wait, timedelta(milliseconds=1)))
            else:
                await self._redis.delete(key)

    async def record(
        self,
        tenant: str,
        destination: str,
        status: Literal["ok", "retrying", "failed"],
        error: str | None = None,
    ) -> None:
        """Record the result of an attempt."""
        now, earlier = datetime.now(UTC), (await self.states(tenant)).get(destination)
        since = earlier.failing_since if earlier is not None else None
        state = DestinationState(
            status=status, at=now, error=error, failing_since=None if status == "ok" else since or now
        )
        with map_redis_errors(_states_key(tenant)):
            await self._redis.hset(_states_key(tenant), destination, msgspec.json.encode(state))

    async def states(self, tenant: str) -> dict[str, DestinationState]:
        """The states of a tenant's destinations by name; one that was never used is missing."""
        with map_redis_errors(_states_key(tenant)):
            found = cast(Mapping[bytes, bytes], await self._redis.hgetall(_states_key(tenant)))
        return {
            name.decode(): msgspec.json.decode(value, type=DestinationState) for name, value in found.items()
        }


def _delivery_key(delivery: str) -> str:
    return f"signalbox:notification:{{{delivery}}}"


def _states_key(tenant: str) -> str:
    return f"signalbox:destinations:{{{tenant}}}"
