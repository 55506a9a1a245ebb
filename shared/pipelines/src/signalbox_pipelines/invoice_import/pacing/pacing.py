"""Turns at calling the portal: one script in Redis decides for all workers; in a process only the first in line asks it.

Redis keys, with the taxpayer as hash tag: `gdt:pace:{MST}:LANE`, a hash, and `gdt:flight:{MST}:LANE`, a sorted set. They are forgotten
an hour after the last call. Not per tenant: the portal counts per taxpayer, whoever asks.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from importlib.resources import files
from typing import Final
from weakref import WeakValueDictionary

from msgspec import Struct
from redis.asyncio import Redis

from signalbox_core.errors import RateLimited, Unavailable
from signalbox_core.redis.client import map_redis_errors
from signalbox_pipelines.invoice_import.pacing import lanes
from signalbox_pipelines.invoice_import.pacing.lanes import Lane, LaneName, outcome_of
from signalbox_pipelines.invoice_import.pacing.page_sizes import PageSizes
from signalbox_pipelines.invoice_import.portal.http_exchange import on_sent

PATIENCE_S: Final = 1.0
"""Shorter waits are sat out in the activity; a longer one gives the worker's slot back."""
FULL_PATIENCE_S: Final = 4.0
"""For a place in a full lane: then other calls of this taxpayer are under way, at most a handful, and end soon."""
_KEEP_MS: Final = 3_600_000
_WHAT: Final = "pacing"


class NotYet(RateLimited):
    """It is not this call's turn for longer than is waited inside an activity. `why`: spacing, busy or resting."""

    code = "portal_wait"

    def __init__(self, wait_s: float, why: str) -> None:
        super().__init__(
            f"the portal is busy ({why}); the next try is in {wait_s:.0f} s", retry_after_s=wait_s, why=why
        )
        self.why = why


class Turn(Struct, frozen=True):
    """A call that may start now. `started_ms` is Redis's clock."""

    permit: str
    started_ms: int


_WHY: Final = {
    "space": "spacing",
    "cool": "it asked to slow down",
    "broken": "it fails; resting",
    "full": "as many calls as it allows",
}


class Pacing:
    """One for each worker process."""

    def __init__(self, redis: Redis, of: Mapping[LaneName, Lane]) -> None:
        self.lanes = of
        self.sizes = PageSizes(redis)
        self._lines: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        package = files("signalbox_pipelines.invoice_import.pacing")
        self._take = redis.register_script(package.joinpath("take.lua").read_text("utf-8"))
        self._done = redis.register_script(package.joinpath("done.lua").read_text("utf-8"))
        self._sent = redis.register_script(package.joinpath("sent.lua").read_text("utf-8"))

    @asynccontextmanager
    async def turn(self, mst: str, lane: LaneName, *, patience_s: float = PATIENCE_S) -> AsyncIterator[Turn]:
        """Make one call of the portal inside; what it raises decides how fast the next ones may follow.

        Raises:
            NotYet: the wait is longer than `patience_s`.
            Unavailable: Redis does not answer; without it nobody calls the portal.
        """
        chosen = self.lanes[lane]
        turn = await self._wait(mst, chosen, patience_s)
        token = on_sent.set(self._watch(mst, chosen))
        try:
            yield turn
        except BaseException as error:
            await self._end(mst, chosen, turn, error)
            raise
        finally:
            on_sent.reset(token)
        await self._end(mst, chosen, turn, None)

    async def _wait(self, mst: str, lane: Lane, patience_s: float) -> Turn:
        # Fair within the process, and one question to Redis at a time; between processes the first to ask wins.
        line = self._lines.setdefault(f"{mst}:{lane.name}", asyncio.Lock())
        async with line:
            full_s = 0.0
            while True:
                permit = secrets.token_hex(8)
                with map_redis_errors(_WHAT):
                    verdict, wait_ms, _, now_ms = await self._take(
                        keys=keys_of(mst, lane.name),
                        args=[
                            permit,
                            lane.floor_ms,
                            lane.in_flight,
                            lane.lease_ms,
                            lanes.TRIP,
                            _KEEP_MS,
                            lanes.MARGIN,
                        ],
                    )
                if verdict == b"go":
                    return Turn(permit, int(now_ms))
                wait_s = max(1, int(wait_ms)) / 1_000
                is_full = verdict == b"full"
                full_s += wait_s if is_full else 0.0
                if wait_s > patience_s or full_s > FULL_PATIENCE_S:
                    raise NotYet(max(wait_s, 0.5) if is_full else wait_s, _WHY[verdict.decode()])
                await asyncio.sleep(wait_s)

    def _watch(self, mst: str, lane: Lane) -> Callable[[], Awaitable[None]]:
        """What to call when the request leaves: a busy process may be late with it, by more than the margin allows for."""
        began = time.monotonic()

        async def sent() -> None:
            late_ms = (time.monotonic() - began) * 1_000
            if late_ms > max(1.0, lane.spacing_ms * (lanes.MARGIN - 1) / 2):
                with suppress(Unavailable), map_redis_errors(_WHAT):
                    await self._sent(keys=keys_of(mst, lane.name)[:1], args=[lane.floor_ms, lanes.MARGIN])

        return sent

    async def _end(self, mst: str, lane: Lane, turn: Turn, error: BaseException | None) -> None:
        outcome, wait_ms = outcome_of(error)
        # The call was made, so its answer counts; a place that is not given back falls free when its lease ends.
        with suppress(Unavailable), map_redis_errors(_WHAT):
            await self._done(
                keys=keys_of(mst, lane.name),
                args=[
                    turn.permit,
                    outcome,
                    turn.started_ms,
                    lane.floor_ms,
                    lanes.CEILING_MS,
                    wait_ms,
                    lanes.TRIP,
                    lanes.REST_MS,
                    lanes.LONGEST_REST_MS,
                    lanes.RECOVERY,
                    _KEEP_MS,
                ],
            )


def keys_of(mst: str, lane: LaneName) -> list[str]:
    return [f"gdt:pace:{{{mst}}}:{lane}", f"gdt:flight:{{{mst}}}:{lane}"]
