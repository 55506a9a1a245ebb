"""The activity slots of a burst worker: counted exactly, and none handed out while memory is short."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from temporalio.worker import (
    CustomSlotSupplier,
    FixedSizeSlotSupplier,
    SlotMarkUsedContext,
    SlotPermit,
    SlotReleaseContext,
    SlotReserveContext,
    WorkerTuner,
)

_LOOK_AGAIN_S: Final = 0.25
_CGROUP: Final = Path("/sys/fs/cgroup")
_MEMINFO: Final = Path("/proc/meminfo")


class Slots(CustomSlotSupplier):
    """One process's activity slots, shared by its task queues. Made in the worker's event loop.

    Args:
        max_memory: the share of the memory limit above which no further slot is given; one is always given, so work goes on.
        memory: the share in use now; None when it cannot be known.

    Attributes:
        used: activities that run now.
        is_closed: no more slots are given.
        idle_since: since when (`time.monotonic`) none has run.
    """

    def __init__(
        self, count: int, *, max_memory: float | None = None, memory: Callable[[], float | None] | None = None
    ) -> None:
        self.count = count
        self.used = 0
        self.idle_since = time.monotonic()
        self._reserved = 0
        self.is_closed = False
        self._max_memory = max_memory
        self._memory = memory or memory_share
        self._lock = threading.Lock()
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()

    async def reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit:
        while (permit := self.try_reserve_slot(ctx)) is None:
            self._changed.clear()
            try:
                async with asyncio.timeout(_LOOK_AGAIN_S):
                    await self._changed.wait()
            except TimeoutError:
                pass  # memory may have been given back without a slot being freed
        return permit

    def try_reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit | None:  # noqa: ARG002 - the interface's
        with self._lock:
            if (
                self.is_closed
                or self._reserved >= self.count
                or (self._reserved > 0 and self._is_memory_short())
            ):
                return None
            self._reserved += 1
        return SlotPermit()

    def mark_slot_used(self, ctx: SlotMarkUsedContext) -> None:  # noqa: ARG002 - the interface's
        with self._lock:
            self.used += 1
        self._tell()

    def release_slot(self, ctx: SlotReleaseContext) -> None:
        with self._lock:
            self._reserved -= 1
            if ctx.slot_info is not None:
                self.used -= 1
                self.idle_since = time.monotonic()
        self._tell()

    async def close(self, within_s: float) -> None:
        """Give no more slots, and wait until no poll is under way: one that shutdown cuts off loses the task it brings.

        While tasks wait every poll soon brings one; when none do, a poll that is still open after `within_s` has little to lose.
        """
        with self._lock:
            self.is_closed = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self._reserved > self.used:
                    self._changed.clear()
                    await self._changed.wait()

    def idle_s(self) -> float:
        """For how long no activity has run; 0 while one does."""
        return 0.0 if self.used else time.monotonic() - self.idle_since

    def tuner(self) -> WorkerTuner:
        """For one Temporal worker of this process."""
        other = FixedSizeSlotSupplier(100)
        return WorkerTuner.create_composite(
            workflow_supplier=other,
            activity_supplier=self,
            local_activity_supplier=other,
            nexus_supplier=other,
        )

    def _tell(self) -> None:
        """The SDK calls from threads of its own."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._changed.set)

    def _is_memory_short(self) -> bool:
        if self._max_memory is None:
            return False
        share = self._memory()
        return share is not None and share >= self._max_memory


def memory_share(cgroup: Path = _CGROUP, meminfo: Path = _MEMINFO) -> float | None:
    """The share of the container's memory limit in use (cgroup v2), else of the machine's memory; None where neither is told."""
    try:
        limit = (cgroup / "memory.max").read_text().strip()
        if limit != "max":
            return int((cgroup / "memory.current").read_text()) / int(limit)
    except (OSError, ValueError):
        pass
    try:
        facts = dict(line.split(":", 1) for line in meminfo.read_text().splitlines() if ":" in line)
        return 1 - int(facts["MemAvailable"].split()[0]) / int(facts["MemTotal"].split()[0])
    except (OSError, KeyError, ValueError):
        return None
