"""A process that takes turns at a lane and writes down what it saw: `python -m support.bench.paced_calls
REDIS_URL MST TURNS`.

Each turn adds `started_ms calls_at_once` to the Redis list `seen:MST`; both are Redis's own, so no clock of a
process matters.
"""

import asyncio
import random
import sys

from signalbox_core.redis.client import open_redis
from signalbox_pipelines.invoice_import.pacing.lanes import Lane
from signalbox_pipelines.invoice_import.pacing.pacing import NotYet, Pacing

SPACING_MS = 20
AT_ONCE = 3
LANE = Lane(name="query", spacing_ms=SPACING_MS, in_flight=AT_ONCE, lease_ms=20_000)


async def take_turns(url: str, mst: str, turns: int) -> None:
    client = open_redis(url)
    pacing, dice = Pacing(client, {"query": LANE}), random.Random(turns)

    async def one() -> None:
        while True:
            try:
                async with pacing.turn(mst, "query") as turn:
                    under_way = await client.incr(f"now:{mst}")
                    await client.rpush(f"seen:{mst}", f"{turn.started_ms} {under_way}")
                    await asyncio.sleep(dice.uniform(0, 0.1))
                    await client.decr(f"now:{mst}")
                    return
            except NotYet as not_yet:
                await asyncio.sleep(not_yet.retry_after_s)

    async with asyncio.TaskGroup() as group:
        for _ in range(turns):
            group.create_task(one())
    await client.aclose()


if __name__ == "__main__":
    asyncio.run(take_turns(sys.argv[1], sys.argv[2], int(sys.argv[3])))
