"""Whether Temporal is available, checked at most twice a second for all callers together."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

CHECK_EVERY_S: Final = 0.5
CHECK_WITHIN_S: Final = 0.5


class TemporalAvailability:
    """A rate-limited health check of Temporal; concurrent callers share one check.

    Args:
        probe: checks the connection; bounded by a timeout of its own, which may be longer than callers wait.
    """

    def __init__(self, probe: Callable[[], Awaitable[bool]]) -> None:
        self._probe = probe
        self._checking = asyncio.Lock()
        self._checked_at = float("-inf")
        self._is_up = True
        self._running: asyncio.Task[bool] | None = None

    @property
    def is_known_down(self) -> bool:
        """Whether the latest check or call failed. Call `check` before relying on it."""
        return not self._is_up

    def mark_down(self) -> None:
        """Record that a call to Temporal failed."""
        self._is_up = False

    async def check(self) -> bool:
        """Whether Temporal is available now; the result is cached for `CHECK_EVERY_S`."""
        async with self._checking:
            now = asyncio.get_running_loop().time()
            if now - self._checked_at >= CHECK_EVERY_S:
                self._is_up = await self._probe()
                self._checked_at = asyncio.get_running_loop().time()
            return self._is_up

    async def check_promptly(self) -> bool:
        """The same within `CHECK_WITHIN_S`; False when the check takes longer.

        The check then continues: a client that has to connect first could otherwise never finish connecting.
        """
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self.check())
        # Another caller may start the next check while this one is awaited.
        check = self._running
        finished, _ = await asyncio.wait({check}, timeout=CHECK_WITHIN_S)
        return bool(finished) and check.result()
