"""Detects jumps of the host's clock, which make valid signatures fail or expired ones pass."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from signalbox_core.signatures.profile import CLOCK_SKEW

log = logging.getLogger(__name__)

INTERVAL_S: Final = 5.0


class ClockMonitor:
    """Compares the wall clock with the monotonic clock.

    Args:
        wall: seconds since 1970.
        monotonic: monotonic seconds.
        on_jump: called with the seconds of a jump that exceeds the clock skew allowed for signatures.
    """

    def __init__(
        self, wall: Callable[[], float], monotonic: Callable[[], float], *, on_jump: Callable[[float], None]
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._on_jump = on_jump
        self._offset = wall() - monotonic()

    def check(self) -> None:
        """Report a jump since the last check."""
        offset = self._wall() - self._monotonic()
        jump, self._offset = offset - self._offset, offset
        if abs(jump) > CLOCK_SKEW.total_seconds():
            self._on_jump(jump)
            log.error(
                "the host's clock jumped; signatures may be accepted or refused wrongly",
                extra={"seconds": round(jump, 1)},
            )

    async def run(self, *, interval_s: float = INTERVAL_S) -> None:
        """Check periodically until cancelled."""
        while True:
            await asyncio.sleep(interval_s)
            self.check()
