"""Whether Temporal is available, checked at most twice a second for all callers together."""

import asyncio
from typing import Final

from signalbox_gateway.runs.temporal import TemporalRuns

CHECK_EVERY_S: Final = 0.5


class TemporalAvailability:
    """A rate-limited health check of Temporal; concurrent callers share one check."""

    def __init__(self, temporal: TemporalRuns) -> None:
        self._temporal = temporal
        self._checking = asyncio.Lock()
        self._checked_at = float("-inf")
        self._is_up = True

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
                self._is_up = await self._temporal.is_available()
                self._checked_at = asyncio.get_running_loop().time()
            return self._is_up
