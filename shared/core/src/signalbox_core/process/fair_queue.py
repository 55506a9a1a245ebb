"""A bounded number of permits, granted to tenants in turn. Pure bookkeeping over asyncio futures."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from signalbox_core.errors import RateLimited


class FairQueue:
    """Round robin over tenants: a tenant with a thousand calls delays another's first call by one at most.

    Args:
        permits: calls in progress at the same time.
        max_waiting: waiting calls of one tenant; one more is refused, so memory stays bounded.
    """

    def __init__(self, permits: int, *, max_waiting: int) -> None:
        self._free = permits
        self._max_waiting = max_waiting
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @property
    def waiting(self) -> int:
        """Calls that wait for a permit."""
        return sum(len(line) for line in self._waiting.values())

    @asynccontextmanager
    async def permit(self, tenant: str) -> AsyncIterator[None]:
        """Wait for a permit and hold it for the block.

        Raises:
            RateLimited: the tenant has `max_waiting` calls waiting already.
        """
        await self._acquire(tenant)
        try:
            yield
        finally:
            self._release()

    async def _acquire(self, tenant: str) -> None:
        if self._free and not self._waiting:
            self._free -= 1
            return
        line = self._waiting.setdefault(tenant, deque())
        if len(line) >= self._max_waiting:
            raise RateLimited(
                f"tenant {tenant} has {self._max_waiting} calls waiting for a process; try again later",
                retry_after_s=5.0,
            )
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                # Granted and cancelled in the same turn of the loop: pass the permit on.
                self._release()
            else:
                self._forget(tenant, turn)
            raise

    def _release(self) -> None:
        while self._waiting:
            tenant, line = next(iter(self._waiting.items()))
            turn = line.popleft()
            del self._waiting[tenant]
            if line:
                self._waiting[tenant] = line
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def _forget(self, tenant: str, turn: "asyncio.Future[None]") -> None:
        line = self._waiting.get(tenant)
        if line is not None and turn in line:
            line.remove(turn)
            if not line:
                del self._waiting[tenant]
