"""The activity slots of a burst worker: counted exactly, and not granted while memory is short."""

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

_MEMORY_POLL_S: Final = 0.25
_CGROUP: Final = Path("/sys/fs/cgroup")
_MEMINFO: Final = Path("/proc/meminfo")


class ActivitySlots(CustomSlotSupplier):
    """One process's activity slots, shared by its task queues. Must be created in the worker's event loop.

    Args:
        max_memory: share of the memory limit above which no further slot is granted; an idle worker always
            gets one, so that work continues.
        memory: returns the share in use; None when it is unknown.

    Attributes:
        used: running activities.
        is_closed: no more slots are granted.
        idle_since: when (`time.monotonic`) the last activity ended.
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
                async with asyncio.timeout(_MEMORY_POLL_S):
                    await self._changed.wait()
            except TimeoutError:
                pass  # memory may have been freed without a slot being released
        return permit

    def try_reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit | None:  # noqa: ARG002 - the interface
        with self._lock:
            if (
                self.is_closed
                or self._reserved >= self.count
                or (self._reserved > 0 and self._is_memory_short())
            ):
                return None
            self._reserved += 1
        return SlotPermit()

    def mark_slot_used(self, ctx: SlotMarkUsedContext) -> None:  # noqa: ARG002 - the interface
        with self._lock:
            self.used += 1
        self._notify()

    def release_slot(self, ctx: SlotReleaseContext) -> None:
        with self._lock:
            self._reserved -= 1
            if ctx.slot_info is not None:
                self.used -= 1
                self.idle_since = time.monotonic()
        self._notify()

    async def close(self, within_s: float) -> None:
        """Grant no more slots, and wait for open polls, which lose their task when shutdown interrupts them.

        While there is a backlog every poll soon receives a task; without one, a poll that is still open after
        `within_s` is unlikely to receive any.
        """
        with self._lock:
            self.is_closed = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self._reserved > self.used:
                    self._changed.clear()
                    await self._changed.wait()

    def idle_s(self) -> float:
        """Return how long no activity has run; 0 while one does."""
        return 0.0 if self.used else time.monotonic() - self.idle_since

    def tuner(self) -> WorkerTuner:
        """Return the tuner for one Temporal worker of this process."""
        fixed = FixedSizeSlotSupplier(100)
        return WorkerTuner.create_composite(
            workflow_supplier=fixed,
            activity_supplier=self,
            local_activity_supplier=fixed,
            nexus_supplier=fixed,
        )

    def _notify(self) -> None:
        """Wake the waiters; the SDK calls from its own threads."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._changed.set)

    def _is_memory_short(self) -> bool:
        if self._max_memory is None:
            return False
        share = self._memory()
        return share is not None and share >= self._max_memory


def memory_share(cgroup: Path = _CGROUP, meminfo: Path = _MEMINFO) -> float | None:
    """Return the share of memory in use: of the container's limit (cgroup v2), else of the machine's memory.

    None when neither can be read.
    """
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
