"""The portal's rate limiter: Redis scripts grant permits to the calls of all workers.

Redis keys, with the taxpayer as hash tag: the hash `gdt:pace:{MST}:LANE` and the sorted set
`gdt:flight:{MST}:LANE`. They expire an hour after the last call. They are not per tenant, because the
portal counts calls per taxpayer.
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
from signalbox_pipelines.invoice_import.pacing.lanes import LaneName, RateLane, classify_outcome
from signalbox_pipelines.invoice_import.pacing.page_sizes import PageSizeStore
from signalbox_pipelines.invoice_import.portal.http_exchange import on_sent

MAX_WAIT_S: Final = 1.0
"""Shorter waits are spent in the activity; a longer one ends it, which frees the worker's slot."""
MAX_FULL_WAIT_S: Final = 4.0
"""The same when the lane is full: the calls in flight are few and end soon."""
_KEEP_MS: Final = 3_600_000
_WHAT: Final = "pacing"
_REASONS: Final = {
    "space": "spacing",
    "cool": "it asked to slow down",
    "broken": "it keeps failing; the circuit breaker is open",
    "full": "as many calls as it allows",
}
"""From the verdict of `acquire.lua` to the end of "the portal is busy (…)"."""


class PermitDelayed(RateLimited):
    """A permit is not available within the time that an activity waits for it. `why` is the reason."""

    code = "portal_wait"

    def __init__(self, wait_s: float, why: str) -> None:
        super().__init__(
            f"the portal is busy ({why}); the next try is in {wait_s:.0f} s", retry_after_s=wait_s, why=why
        )
        self.why = why


class CallPermit(Struct, frozen=True):
    """The permission to start one call now. `started_ms` is the time of the Redis server."""

    permit: str
    started_ms: int


class PortalRateLimiter:
    """Grants permits to call the portal; one instance per worker process."""

    def __init__(self, redis: Redis, rate_lanes: Mapping[LaneName, RateLane]) -> None:
        self.lanes = rate_lanes
        self.sizes = PageSizeStore(redis)
        self._queues: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        package = files("signalbox_pipelines.invoice_import.pacing")
        self._acquire = redis.register_script(package.joinpath("acquire.lua").read_text("utf-8"))
        self._release = redis.register_script(package.joinpath("release.lua").read_text("utf-8"))
        self._mark_sent = redis.register_script(package.joinpath("mark_sent.lua").read_text("utf-8"))

    @asynccontextmanager
    async def permit(
        self, mst: str, lane: LaneName, *, max_wait_s: float = MAX_WAIT_S
    ) -> AsyncIterator[CallPermit]:
        """Wait for a permit and hold it for one call.

        The block makes exactly one call of the portal; the error it raises decides the pace of later calls.

        Args:
            mst: the taxpayer's code.

        Raises:
            PermitDelayed: the wait is longer than `max_wait_s`.
            Unavailable: Redis does not respond; without it the portal is not called.
        """
        chosen = self.lanes[lane]
        permit = await self._wait(mst, chosen, max_wait_s)
        token = on_sent.set(self._late_start_hook(mst, chosen))
        try:
            yield permit
        except BaseException as error:
            await self._return(mst, chosen, permit, error)
            raise
        finally:
            on_sent.reset(token)
        await self._return(mst, chosen, permit, None)

    async def _wait(self, mst: str, lane: RateLane, max_wait_s: float) -> CallPermit:
        # First come, first served within the process, and one request to Redis at a time.
        queue = self._queues.setdefault(f"{mst}:{lane.name}", asyncio.Lock())
        async with queue:
            full_s = 0.0
            while True:
                permit = secrets.token_hex(8)
                verdict, wait_ms, now_ms = await self._try_acquire(mst, lane, permit)
                if verdict == "go":
                    return CallPermit(permit, now_ms)
                wait_s = max(1, wait_ms) / 1_000
                is_full = verdict == "full"
                full_s += wait_s if is_full else 0.0
                if wait_s > max_wait_s or full_s > MAX_FULL_WAIT_S:
                    raise PermitDelayed(max(wait_s, 0.5) if is_full else wait_s, _REASONS[verdict])
                await asyncio.sleep(wait_s)

    async def _try_acquire(self, mst: str, lane: RateLane, permit: str) -> tuple[str, int, int]:
        args: list[str | int | float] = [
            permit,
            lane.min_spacing_ms,
            lane.in_flight,
            lane.lease_ms,
            lanes.BREAKER_THRESHOLD,
            _KEEP_MS,
            lanes.SPACING_MARGIN,
        ]
        with map_redis_errors(_WHAT):
            verdict, wait_ms, _, now_ms = await self._acquire(keys=redis_keys(mst, lane.name), args=args)
        return verdict.decode(), int(wait_ms), int(now_ms)

    def _late_start_hook(self, mst: str, lane: RateLane) -> Callable[[], Awaitable[None]]:
        """Return a callback for when the request is sent; it reports a delay above half the margin.

        A busy process may send a request long after its permit was granted.
        """
        granted_at = time.monotonic()

        async def sent() -> None:
            late_ms = (time.monotonic() - granted_at) * 1_000
            if late_ms > max(1.0, lane.spacing_ms * (lanes.SPACING_MARGIN - 1) / 2):
                with suppress(Unavailable), map_redis_errors(_WHAT):
                    await self._mark_sent(
                        keys=redis_keys(mst, lane.name)[:1],
                        args=[lane.min_spacing_ms, lanes.SPACING_MARGIN],
                    )

        return sent

    async def _return(
        self, mst: str, lane: RateLane, permit: CallPermit, error: BaseException | None
    ) -> None:
        outcome, wait_ms = classify_outcome(error)
        args: list[str | int | float] = [
            permit.permit,
            outcome,
            permit.started_ms,
            lane.min_spacing_ms,
            lanes.MAX_SPACING_MS,
            wait_ms,
            lanes.BREAKER_THRESHOLD,
            lanes.BREAKER_REST_MS,
            lanes.MAX_BREAKER_REST_MS,
            lanes.RECOVERY,
            _KEEP_MS,
        ]
        # The call succeeded even if Redis fails now; a permit that is not returned expires with its lease.
        with suppress(Unavailable), map_redis_errors(_WHAT):
            await self._release(keys=redis_keys(mst, lane.name), args=args)


def redis_keys(mst: str, lane: LaneName) -> list[str]:
    return [f"gdt:pace:{{{mst}}}:{lane}", f"gdt:flight:{{{mst}}}:{lane}"]
