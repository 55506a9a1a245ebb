"""The portal's rate limiter: one pace per taxpayer and lane, shared by all workers through Redis.

Redis keys, with the taxpayer as hash tag: the hash `gdt:pace:{MST}:LANE` and the sorted set
`gdt:flight:{MST}:LANE`. They expire an hour after the last call. They are not per tenant, because the
portal counts calls per taxpayer.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial

from redis.asyncio import Redis

from signalbox_core.errors import RateLimited
from signalbox_core.redis.pacing import MAX_WAIT_S, CallPermit, Pace, Pacing
from signalbox_pipelines.invoice_import.pacing.lanes import LaneName, RateLane, classify_outcome
from signalbox_pipelines.invoice_import.pacing.page_sizes import PageSizeStore
from signalbox_pipelines.invoice_import.portal.http_exchange import on_sent


class PermitDelayed(RateLimited):
    """A permit is not available within the time that an activity waits for it. `why` is the reason."""

    code = "portal_wait"

    def __init__(self, wait_s: float, why: str) -> None:
        super().__init__(
            f"the portal is busy ({why}); the next try is in {wait_s:.0f} s", retry_after_s=wait_s, why=why
        )
        self.why = why


class PortalRateLimiter:
    """Grants permits to call the portal; one instance per worker process."""

    def __init__(self, redis: Redis, rate_lanes: Mapping[LaneName, RateLane]) -> None:
        self.lanes = rate_lanes
        self.sizes = PageSizeStore(redis)
        self._pacing = {name: _pacing(redis, lane) for name, lane in rate_lanes.items()}

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
        pacing = self._pacing[lane]
        async with pacing.permit(mst, max_wait_s=max_wait_s) as permit:
            token = on_sent.set(partial(pacing.report_sent, mst, permit))
            try:
                yield permit
            finally:
                on_sent.reset(token)


def _pacing(redis: Redis, lane: RateLane) -> Pacing:
    pace = Pace(
        spacing=timedelta(milliseconds=lane.spacing_ms),
        in_flight=lane.in_flight,
        lease=timedelta(milliseconds=lane.lease_ms),
    )
    return Pacing(
        redis,
        "the portal",
        pace,
        outcome=classify_outcome,
        delayed=PermitDelayed,
        keys=lambda mst: redis_keys(mst, lane.name),
    )


def redis_keys(mst: str, lane: LaneName) -> list[str]:
    return [f"gdt:pace:{{{mst}}}:{lane}", f"gdt:flight:{{{mst}}}:{lane}"]
