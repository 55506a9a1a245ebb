"""The loop: look, decide, record; every few seconds, whatever the last look brought."""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from signalbox_autoscaler.backlog import Eye
from signalbox_autoscaler.decisions import Ledger, decide
from signalbox_core.errors import Unavailable

log = logging.getLogger(__name__)


class Loop:
    """Attributes:
    seen_at: when Temporal last answered; None before the first time.
    looks, failures: how many there were.
    """

    def __init__(self, eye: Eye, ledger: Ledger, *, every_s: float, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._eye = eye
        self._ledger = ledger
        self._clock = clock
        self.every_s = every_s
        self.seen_at: datetime | None = None
        self.looks = 0
        self.failures = 0

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.look_once()
            await asyncio.sleep(self.every_s)

    async def look_once(self) -> None:
        self.looks += 1
        try:
            backlogs = await self._eye.look()
        except Unavailable as error:
            self.failures += 1
            log.warning("nothing seen", extra={"detail": error.detail})
            return
        now = self._clock()
        self._ledger.add([decide(backlog, now) for backlog in backlogs])
        self.seen_at = now

    def sees(self) -> bool:
        """Whether Temporal answered within the last three looks."""
        return self.seen_at is not None and (self._clock() - self.seen_at).total_seconds() < 3 * self.every_s + 1
