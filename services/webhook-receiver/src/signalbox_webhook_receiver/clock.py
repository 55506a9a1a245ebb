"""Watches the host's clock: signatures are judged by it, so a jump refuses good senders or lets old signatures in."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from signalbox_core.signatures.profile import CLOCK_SKEW

log = logging.getLogger(__name__)

EVERY_S: Final = 5.0


class ClockWatch:
    """Compares the wall clock with the time that passed.

    Args:
        wall: seconds since 1970.
        passed: monotonic seconds.
        on_jump: called with the seconds of a jump beyond the clock skew that signatures allow.
    """

    def __init__(
        self, wall: Callable[[], float], passed: Callable[[], float], *, on_jump: Callable[[float], None]
    ) -> None:
        self._wall = wall
        self._passed = passed
        self._on_jump = on_jump
        self._offset = wall() - passed()

    def look(self) -> None:
        """Report a jump since the last look, once."""
        offset = self._wall() - self._passed()
        jump, self._offset = offset - self._offset, offset
        if abs(jump) > CLOCK_SKEW.total_seconds():
            self._on_jump(jump)
            log.error(
                "the host's clock jumped; signatures are judged by it", extra={"seconds": round(jump, 1)}
            )

    async def watch(self, *, every_s: float = EVERY_S) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(every_s)
            self.look()
