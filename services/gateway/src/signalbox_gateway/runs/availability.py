"""Whether Temporal is available, checked at most twice a second however many callers ask."""

import asyncio
from typing import Final

from signalbox_gateway.runs.temporal import Engine

CHECK_EVERY_S: Final = 0.5


class Availability:
    """Whether Temporal answers; many who ask share one look at it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._one_looks = asyncio.Lock()
        self._looked_at = float("-inf")
        self._is_up = True

    @property
    def seems_away(self) -> bool:
        """By the latest look; True is worth another one."""
        return not self._is_up

    def note_away(self) -> None:
        self._is_up = False

    async def look(self) -> bool:
        async with self._one_looks:
            now = asyncio.get_running_loop().time()
            if now - self._looked_at >= CHECK_EVERY_S:
                self._is_up = await self._engine.is_available()
                self._looked_at = asyncio.get_running_loop().time()
            return self._is_up
