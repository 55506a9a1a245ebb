"""The launch ledger in Redis: reserves launches and their money before the request, settles them at the end.

Every write is a Lua script that compares the lease first: a former leader writes nothing and gets `FENCED`.
"""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final, cast

import msgspec
from redis.asyncio import Redis

from signalbox_autoscaler.model import Launch, ScalingPolicy, Spending
from signalbox_core.redis.client import map_redis_errors
from signalbox_core.redis.lease import Lease, LeaseKeys

log = logging.getLogger(__name__)

LEASE_KEYS: Final = LeaseKeys(lease="signalbox:{autoscaler}:lease", epoch="signalbox:{autoscaler}:epoch")
LAUNCHES: Final = "signalbox:{autoscaler}:launches"
_SPENT: Final = "signalbox:{autoscaler}:spent"
_SPENT_KEPT: Final = timedelta(days=3)
_NANO: Final = Decimal(1_000_000_000)
_NO_LIMIT: Final = -1

# KEYS: lease, launches, hour, day.  ARGV: token, launch id, record, queue, nanos, hour limit, day limit,
# seconds kept.
_RESERVE: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'fenced' end
if redis.call('HEXISTS', KEYS[2], ARGV[2]) == 1 then return 'known' end
local names = {'hour_budget', 'day_budget'}
for i = 1, 2 do
  local limit = tonumber(ARGV[5 + i])
  local spent = tonumber(redis.call('HGET', KEYS[2 + i], ARGV[4]) or '0')
  if limit >= 0 and spent + tonumber(ARGV[5]) > limit then return names[i] end
end
for i = 3, 4 do
  redis.call('HINCRBY', KEYS[i], ARGV[4], ARGV[5])
  redis.call('EXPIRE', KEYS[i], ARGV[8])
end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
return 'written'
"""
# KEYS: lease, launches.  ARGV: token, launch id, record.
_UPDATE: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'fenced' end
if redis.call('HEXISTS', KEYS[2], ARGV[2]) == 0 then return 'unknown' end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
return 'written'
"""
# KEYS: lease, launches, hour, day.  ARGV: token, launch id, queue, nanos to add (negative: released).
_SETTLE: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'fenced' end
if redis.call('HDEL', KEYS[2], ARGV[2]) == 0 then return 'unknown' end
for i = 3, 4 do
  if redis.call('EXISTS', KEYS[i]) == 1 then redis.call('HINCRBY', KEYS[i], ARGV[3], ARGV[4]) end
end
return 'written'
"""


class WriteResult(StrEnum):
    """The outcome of a write; only with `WRITTEN` anything was changed."""

    WRITTEN = "written"
    FENCED = "fenced"  # this process does not hold the lease
    KNOWN = "known"  # the launch is in the ledger already
    UNKNOWN = "unknown"  # the launch is not in the ledger, or was settled
    HOUR_BUDGET = "hour_budget"
    DAY_BUDGET = "day_budget"


class LaunchLedger:
    """The open launches and what was spent. Every method raises `Unavailable` when Redis is unavailable."""

    def __init__(self, client: Redis, lease: Lease) -> None:
        self._redis = client
        self._lease = lease
        self._reserve = client.register_script(_RESERVE)
        self._update = client.register_script(_UPDATE)
        self._settle = client.register_script(_SETTLE)

    async def launches(self) -> list[Launch]:
        """The launches that are not settled, oldest first."""
        with map_redis_errors("launch ledger"):
            found = cast("Mapping[bytes, bytes]", await self._redis.hgetall(LAUNCHES))
        known = [launch for name, record in found.items() if (launch := _decode(name, record)) is not None]
        return sorted(known, key=lambda launch: launch.requested_at)

    async def spent(self, now: datetime) -> Spending:
        """What was reserved or spent in the hour and the day of `now`."""
        hour, day = _windows(now)
        with map_redis_errors("launch ledger"):
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.hgetall(hour)
                pipe.hgetall(day)
                answers: list[Mapping[bytes, bytes]] = await pipe.execute()
        sums = [
            {queue.decode(): Decimal(int(nanos)) / _NANO for queue, nanos in answer.items()}
            for answer in answers
        ]
        return Spending(hour=sums[0], day=sums[1])

    async def reserve(self, launch: Launch, policy: ScalingPolicy) -> WriteResult:
        """Write the launch and reserve its money in the budgets of its hour and day: both, or nothing.

        Refused unless this process leads in the epoch in which the launch was decided.
        """
        return await self._write_new(launch, policy.budget_per_hour, policy.budget_per_day)

    async def adopt(self, launch: Launch) -> WriteResult:
        """Write a launch that the provider already runs, and reserve its money whatever the budgets."""
        return await self._write_new(launch, None, None)

    async def _write_new(
        self, launch: Launch, hour_budget: Decimal | None, day_budget: Decimal | None
    ) -> WriteResult:
        limits = [_nanos(hour_budget), _nanos(day_budget)]
        record = msgspec.json.encode(launch).decode()
        arguments: list[str | int] = [
            self._lease.token_of(launch.epoch),
            launch.launch_id,
            record,
            launch.queue,
            _nanos(launch.reserved),
        ]
        keys = [self._lease.key, LAUNCHES, *_windows(launch.requested_at)]
        with map_redis_errors("launch ledger"):
            answer = await self._reserve(
                keys=keys, args=[*arguments, *limits, int(_SPENT_KEPT.total_seconds())]
            )
        return WriteResult(answer.decode())

    async def update(self, launch: Launch) -> WriteResult:
        """Replace the value of an open launch."""
        with map_redis_errors("launch ledger"):
            arguments = [self._lease.token, launch.launch_id, msgspec.json.encode(launch).decode()]
            answer = await self._update(keys=[self._lease.key, LAUNCHES], args=arguments)
        return WriteResult(answer.decode())

    async def settle(self, launch: Launch, cost: Decimal) -> WriteResult:
        """Remove an ended launch, and correct its reservation to `cost` in the hour and day it was taken
        from."""
        keys = [self._lease.key, LAUNCHES, *_windows(launch.requested_at)]
        with map_redis_errors("launch ledger"):
            answer = await self._settle(
                keys=keys,
                args=[self._lease.token, launch.launch_id, launch.queue, _nanos(cost - launch.reserved)],
            )
        return WriteResult(answer.decode())


def cost_of(policy: ScalingPolicy, workers: int, lasted_s: float) -> Decimal:
    """The cost of `workers` for `lasted_s`: each is charged until the last one has ended."""
    return (policy.price_per_worker_s * workers * Decimal(str(round(lasted_s, 3)))).quantize(1 / _NANO)


def _decode(name: bytes, record: bytes) -> Launch | None:
    """None: the value was written by an incompatible version, and is left for that one to settle."""
    try:
        return msgspec.json.decode(record, type=Launch)
    except msgspec.MsgspecError as error:
        log.error(
            "launch in the ledger cannot be decoded",
            extra={"launch_id": name.decode(errors="replace"), "detail": str(error)},
        )
        return None


def _windows(at: datetime) -> list[str]:
    return [f"{_SPENT}:{at:%Y-%m-%dT%H}", f"{_SPENT}:{at:%Y-%m-%d}"]


def _nanos(amount: Decimal | None) -> int:
    return _NO_LIMIT if amount is None else int(amount * _NANO)
