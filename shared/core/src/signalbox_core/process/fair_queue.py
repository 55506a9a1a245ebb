"""A bounded number of permits, granted to tenants in turn. Pure bookkeeping over asyncio futures."""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from signalbox_core.errors import RateLimited


class FairQueue:
    """Round robin over tenants: a tenant with a thousand calls delays another's first call by one at most.

    One tenant holds all permits but one at most, so that a single tenant's long calls delay no other's.

    Args:
        permits: calls in progress at the same time.
        max_waiting: waiting calls of one tenant; one more is refused, so memory stays bounded.
    """

    def __init__(self, permits: int, *, max_waiting: int) -> None:
        self._free = permits
        self._max_held = max(1, permits - 1)
        self._max_waiting = max_waiting
        self._held: Counter[str] = Counter()
        # While a permit is free, every tenant in here holds as many as it may.
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
            self._release(tenant)

    async def _acquire(self, tenant: str) -> None:
        if self._free and self._held[tenant] < self._max_held:
            self._grant(tenant)
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
                self._release(tenant)
            else:
                self._forget(tenant, turn)
            raise

    def _grant(self, tenant: str) -> None:
        self._free -= 1
        self._held[tenant] += 1

    def _release(self, tenant: str) -> None:
        self._free += 1
        self._held[tenant] -= 1
        if not self._held[tenant]:
            del self._held[tenant]
        while self._free and (following := self._next_tenant()) is not None:
            turn = self._take_turn(following)
            if not turn.done():
                self._grant(following)
                turn.set_result(None)

    def _next_tenant(self) -> str | None:
        return next((tenant for tenant in self._waiting if self._held[tenant] < self._max_held), None)

    def _take_turn(self, tenant: str) -> "asyncio.Future[None]":
        """Remove the tenant's first waiting call, and move the tenant to the end."""
        line = self._waiting.pop(tenant)
        turn = line.popleft()
        if line:
            self._waiting[tenant] = line
        return turn

    def _forget(self, tenant: str, turn: "asyncio.Future[None]") -> None:
        line = self._waiting.get(tenant)
        if line is not None and turn in line:
            line.remove(turn)
            if not line:
                del self._waiting[tenant]
