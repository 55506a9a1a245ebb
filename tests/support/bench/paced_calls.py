"""A process that makes paced calls and records them.

`python -m support.bench.paced_calls REDIS_URL MST CALLS`: each call adds `started_ms concurrent_calls` to the
Redis list `seen:MST`; both values come from Redis, so the clocks of the processes do not matter.
"""

import asyncio
import random
import sys

from signalbox_core.redis.client import open_redis
from signalbox_pipelines.invoice_import.pacing.lanes import RateLane
from signalbox_pipelines.invoice_import.pacing.rate_limiter import PermitDelayed, PortalRateLimiter

SPACING_MS = 20
AT_ONCE = 3
LANE = RateLane(name="query", spacing_ms=SPACING_MS, in_flight=AT_ONCE, lease_ms=20_000)


async def make_calls(url: str, mst: str, calls: int) -> None:
    client = open_redis(url)
    limiter, dice = PortalRateLimiter(client, {"query": LANE}), random.Random(calls)

    async def one() -> None:
        while True:
            try:
                async with limiter.permit(mst, "query") as permit:
                    in_flight = await client.incr(f"now:{mst}")
                    await client.rpush(f"seen:{mst}", f"{permit.started_ms} {in_flight}")
                    await asyncio.sleep(dice.uniform(0, 0.1))
                    await client.decr(f"now:{mst}")
                    return
            except PermitDelayed as delayed:
                await asyncio.sleep(delayed.retry_after_s)

    async with asyncio.TaskGroup() as group:
        for _ in range(calls):
            group.create_task(one())
    await client.aclose()


if __name__ == "__main__":
    asyncio.run(make_calls(sys.argv[1], sys.argv[2], int(sys.argv[3])))
