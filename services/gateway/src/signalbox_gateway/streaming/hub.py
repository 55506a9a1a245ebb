"""The listeners of this process: which runs (and tenants' news) they watch, and every live frame encoded once and shared among them."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import Struct

from signalbox_core.errors import Unavailable
from signalbox_core.events import Snapshot
from signalbox_core.events.snapshot import ENDED
from signalbox_core.process.single_flight import SingleFlight
from signalbox_core.streams import Channels, Cursor, Frame, History, RunStream
from signalbox_gateway.runs.overdue import is_overdue
from signalbox_gateway.streaming import frames
from signalbox_gateway.streaming.limits import Full, Holder, Limits, Seats
from signalbox_gateway.streaming.listener import Listener

log = logging.getLogger(__name__)
Fallback = Callable[[str], Awaitable[Snapshot | None]]
Present = Callable[[Snapshot, str], bytes]
NOBODY: Final = Holder()
_PAGE: Final = 100
_READ_WITHIN_S: Final = 2.0


class Shown(Struct, frozen=True, kw_only=True):
    """A run's snapshot as listeners get it. `position.epoch` is empty when it came from Temporal.

    Attributes:
        is_overdue: the run ended and has no stream, and it is too late for its events to be on their way.
    """

    event: bytes
    position: Cursor
    has_ended: bool
    is_overdue: bool


class Hub:
    """Joins listeners with the live channels of their runs.

    Args:
        fallback: a run's snapshot from Temporal, for a run that has no stream.
        present: the JSON of a snapshot at an epoch, the same as `GET /v1/runs/{run_id}` gives.
    """

    def __init__(
        self,
        channels: Channels,
        streams: RunStream,
        fallback: Fallback,
        present: Present,
        limits: Limits | None = None,
    ) -> None:
        self._channels = channels
        self._streams = streams
        self._fallback = fallback
        self._present = present
        self._limits = limits or Limits()
        self._watchers: dict[str, set[Listener]] = {}
        self._listeners: set[Listener] = set()
        self._seats = Seats(self._limits)
        self._snapshots = SingleFlight(self._load_snapshot)
        self._is_draining = False
        self._emptied = asyncio.Event()

    @property
    def listener_count(self) -> int:
        return len(self._listeners)

    @property
    def watched_runs(self) -> int:
        return len(self._watchers)

    @property
    def is_draining(self) -> bool:
        return self._is_draining

    def lacks_room(self, holder: Holder) -> Full | None:
        """Why one more stream of this holder cannot be opened; None: it can."""
        return Full.DRAINING if self._is_draining else self._seats.lacking(holder)

    async def run(self) -> None:
        """Hear the channels and look after idle listeners, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._channels.run(self._receive, self._opened))
            group.create_task(self._sweep())

    def join(
        self, runs: Sequence[str], expires_at: datetime | None = None, *, holder: Holder = NOBODY
    ) -> Listener:
        """Begin to buffer the runs' live frames for a new listener; every `join` needs its `leave`."""
        now = asyncio.get_running_loop().time()
        lifetime = self._limits.lifetime.total_seconds() * random.uniform(0.8, 1.0)
        if expires_at is not None:
            lifetime = min(lifetime, (expires_at - datetime.now(expires_at.tzinfo)).total_seconds())
        listener = Listener(runs, now=now, closes_at=now + lifetime, holder=holder)
        self._listeners.add(listener)
        self._seats.take(holder)
        for run_id in listener.runs:
            self._watch(run_id, listener)
        return listener

    def watch(self, listener: Listener, run_id: str) -> None:
        """One more run for a listener that has joined."""
        listener.runs.append(run_id)
        self._watch(run_id, listener)

    def unwatch(self, listener: Listener, run_id: str) -> None:
        listener.runs.remove(run_id)
        listener.behind.discard(run_id)
        self._forget(run_id, listener)

    def leave(self, listener: Listener) -> None:
        self._listeners.discard(listener)
        self._seats.leave(listener.holder)
        if not self._listeners:
            self._emptied.set()
        for run_id in listener.runs:
            self._forget(run_id, listener)

    async def read(self, run_id: str, after: Cursor | None) -> History:
        """One page of the run's log.

        Raises:
            Unavailable: the store is away or silent.
        """
        async with _in_time(run_id):
            return await self._streams.read(run_id, after, _PAGE)

    async def open_runs(self, tenant: str, limit: int) -> list[str]:
        """The tenant's open runs, the newest first. Raises: Unavailable: the store is away or silent."""
        async with _in_time(f"tenant {tenant}"):
            return await self._streams.open_runs(tenant, limit)

    async def snapshot(self, run_id: str) -> Shown | None:
        """The run's snapshot, or None for an unknown run. Concurrent listeners share one look-up.

        Raises:
            Unavailable: the store is unavailable, or does not answer in time.
        """
        return await self._snapshots.get(run_id)

    async def drain(self, within: timedelta) -> None:
        """Refuse new listeners and end the open streams cleanly, spread over the time given."""
        self._is_draining = True
        loop = asyncio.get_running_loop()
        for listener in self._listeners:
            loop.call_later(random.uniform(0, within.total_seconds() * 0.8), listener.close)
        self._emptied.clear()
        if self._listeners:
            with suppress(TimeoutError):
                async with asyncio.timeout(within.total_seconds()):
                    await self._emptied.wait()
        log.info("streams drained", extra={"left": len(self._listeners)})

    def _watch(self, run_id: str, listener: Listener) -> None:
        watchers = self._watchers.setdefault(run_id, set())
        watchers.add(listener)
        if len(watchers) == 1:
            self._channels.open(run_id)
        elif self._channels.is_open(run_id):
            listener.fall_behind(run_id)

    def _forget(self, run_id: str, listener: Listener) -> None:
        watchers = self._watchers.get(run_id, set())
        watchers.discard(listener)
        if not watchers and self._watchers.pop(run_id, None) is not None:
            self._channels.close(run_id)

    def _opened(self, run_id: str) -> None:
        for listener in self._watchers.get(run_id, ()):
            listener.fall_behind(run_id)

    def _receive(self, run_id: str, frame: Frame) -> None:
        watchers = self._watchers.get(run_id)
        if not watchers:
            return
        packet = frames.packet(run_id, frame)
        for listener in watchers:
            listener.offer(packet)

    async def _load_snapshot(self, run_id: str) -> Shown | None:
        async with _in_time(run_id):
            projected = await self._streams.snapshot(run_id)
        snapshot, epoch = (
            (projected.snapshot, projected.epoch) if projected else (await self._fallback(run_id), "")
        )
        if snapshot is None:
            return None
        return Shown(
            event=frames.snapshot_event(self._present(snapshot, epoch)),
            position=Cursor(epoch, snapshot.sequence),
            has_ended=snapshot.status in ENDED,
            is_overdue=not epoch and is_overdue(snapshot, datetime.now(UTC)),
        )

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(self._limits.sweep.total_seconds())
            now = asyncio.get_running_loop().time()
            for listener in self._listeners:
                self._look_after(listener, now)

    def _look_after(self, listener: Listener, now: float) -> None:
        if now >= listener.closes_at:
            listener.close()
        elif now - listener.checked_at >= self._limits.recheck.total_seconds():
            listener.checked_at = now
            listener.check()
        if now - listener.sent_at >= self._limits.heartbeat.total_seconds():
            listener.beat()


@asynccontextmanager
async def _in_time(run_id: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(_READ_WITHIN_S):
            yield
    except TimeoutError:
        raise Unavailable(f"the stream of run {run_id} cannot be read right now; try again") from None
