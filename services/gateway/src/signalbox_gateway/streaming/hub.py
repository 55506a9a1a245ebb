"""Fan-out of live frames to the listeners of this process. Each frame is encoded once and shared."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

import msgspec
from msgspec import Struct

from signalbox_core.errors import Unavailable
from signalbox_core.events import Snapshot
from signalbox_core.events.snapshot import ENDED
from signalbox_core.ids import run_id_of, run_key
from signalbox_core.process.single_flight import SingleFlight
from signalbox_core.streams import Channels, Cursor, Frame, History, RunStream
from signalbox_gateway.runs.overdue import is_overdue
from signalbox_gateway.streaming import frames
from signalbox_gateway.streaming.limits import (
    ConnectionLimiter,
    ConnectionOwner,
    LimitReason,
    StreamLimitReached,
    StreamLimits,
)
from signalbox_gateway.streaming.listener import Listener
from signalbox_gateway.streaming.refusals import reconnect_later_ms

log = logging.getLogger(__name__)
SnapshotFallback = Callable[[str], Awaitable[Snapshot | None]]
SnapshotEncoder = Callable[[Snapshot, str], bytes]
ANONYMOUS: Final = ConnectionOwner()
_PAGE: Final = 100
_READ_TIMEOUT_S: Final = 2.0


OnEvent = Callable[[Literal["milestone", "progress"], datetime], None]


def _ignore(_kind: object, _time: object) -> None: ...


class _EventTime(Struct, frozen=True):
    """The time of an event, read without the rest of it."""

    time: datetime | None = None


class RunSnapshot(Struct, frozen=True, kw_only=True):
    """A run's snapshot, encoded for listeners.

    Attributes:
        position: the cursor of the snapshot; its epoch is empty when the snapshot came from Temporal.
        is_overdue: the run ended without a stream, too long ago for its events to be in transit.
    """

    event: bytes
    position: Cursor
    has_ended: bool
    is_overdue: bool


class Hub:
    """Connects listeners with the live channels of their runs, by the keys of the runs' streams.

    Args:
        fallback: reads the snapshot of a run key from Temporal, for a run without a stream.
        present: encodes a snapshot at an epoch as the JSON of `GET /v1/runs/{run_id}`.
        on_event: called with the kind and the time of each event that is sent to listeners, for the metrics.
    """

    def __init__(
        self,
        channels: Channels,
        streams: RunStream,
        fallback: SnapshotFallback,
        present: SnapshotEncoder,
        limits: StreamLimits | None = None,
        on_event: OnEvent = _ignore,
    ) -> None:
        self._channels = channels
        self._streams = streams
        self._fallback = fallback
        self._present = present
        self._limits = limits or StreamLimits()
        self._on_event = on_event
        self._watchers: dict[str, set[Listener]] = {}
        self._listeners: set[Listener] = set()
        self._limiter = ConnectionLimiter(self._limits)
        self._snapshots = SingleFlight(self._load_snapshot)
        self._is_draining = False
        self._all_left = asyncio.Event()

    @property
    def listener_count(self) -> int:
        return len(self._listeners)

    @property
    def watched_runs(self) -> int:
        return len(self._watchers)

    @property
    def is_draining(self) -> bool:
        return self._is_draining

    def check_admission(self, owner: ConnectionOwner) -> None:
        """Raises: StreamLimitReached: one more stream of this owner is not admitted."""
        reason = LimitReason.DRAINING if self._is_draining else self._limiter.check_admission(owner)
        if reason is not None:
            raise StreamLimitReached(reason)

    async def run(self) -> None:
        """Receive from the channels and run the listeners' timers, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._channels.run(self._on_frame, self._on_channel_open))
            group.create_task(self._sweep())

    def join(
        self, runs: Sequence[str], expires_at: datetime | None = None, *, owner: ConnectionOwner = ANONYMOUS
    ) -> Listener:
        """Start buffering the runs' live frames for a new listener. Every `join` needs a `leave`."""
        now = asyncio.get_running_loop().time()
        lifetime = self._limits.lifetime.total_seconds() * random.uniform(0.8, 1.0)
        if expires_at is not None:
            lifetime = min(lifetime, (expires_at - datetime.now(expires_at.tzinfo)).total_seconds())
        listener = Listener(runs, now=now, closes_at=now + lifetime, owner=owner)
        self._listeners.add(listener)
        self._limiter.acquire(owner)
        for key in listener.runs:
            self._add_watcher(key, listener)
        return listener

    def watch(self, listener: Listener, key: str) -> None:
        """Add a run to a listener that has joined."""
        listener.runs.append(key)
        self._add_watcher(key, listener)

    def unwatch(self, listener: Listener, key: str) -> None:
        """Remove a run from a listener that has joined."""
        listener.runs.remove(key)
        listener.behind.discard(key)
        self._remove_watcher(key, listener)

    def leave(self, listener: Listener) -> None:
        """Remove a listener; its channels close when no other listener watches them."""
        self._listeners.discard(listener)
        self._limiter.release(listener.owner)
        if not self._listeners:
            self._all_left.set()
        for key in listener.runs:
            self._remove_watcher(key, listener)

    async def read(self, key: str, after: Cursor | None) -> History:
        """Read one page of the run's log.

        Raises:
            Unavailable: the store is unavailable, or does not respond in time.
        """
        async with _read_deadline(f"the stream of run {run_id_of(key)}"):
            return await self._streams.read(key, after, _PAGE)

    async def locate(self, tenant: str, run_id: str) -> str:
        """The key of the run's stream; while the store is unavailable, the run key."""
        try:
            async with _read_deadline(f"the stream of run {run_id}"):
                return await self._streams.locate(tenant, run_id)
        except Unavailable:
            return run_key(tenant, run_id)

    async def open_runs(self, tenant: str, limit: int) -> list[str]:
        """The keys of the tenant's open runs, newest first.

        Raises:
            Unavailable: the store is unavailable, or does not respond in time.
        """
        async with _read_deadline("the list of open runs"):
            return await self._streams.open_runs(tenant, limit)

    async def ended_runs(self, tenant: str, limit: int) -> dict[str, datetime]:
        """The keys of the tenant's recently ended runs and when they ended, newest first.

        Raises:
            Unavailable: the store is unavailable, or does not respond in time.
        """
        async with _read_deadline("the list of ended runs"):
            return await self._streams.ended_runs(tenant, limit)

    async def snapshot(self, key: str) -> RunSnapshot | None:
        """The run's snapshot, or None for an unknown run. Concurrent listeners share one look-up.

        Raises:
            Unavailable: the store is unavailable, or does not respond in time.
        """
        return await self._snapshots.get(key)

    async def drain(self, within: timedelta) -> None:
        """Refuse new listeners and end the open streams cleanly, spread over 80 % of the given time.

        Each stream ends with a long `retry:`, so that its client connects to a gateway that takes over.
        """
        self._is_draining = True
        loop = asyncio.get_running_loop()
        for listener in self._listeners:
            delay_s = random.uniform(0, within.total_seconds() * 0.8)
            loop.call_later(delay_s, listener.close, reconnect_later_ms())
        self._all_left.clear()
        if self._listeners:
            with suppress(TimeoutError):
                async with asyncio.timeout(within.total_seconds()):
                    await self._all_left.wait()
        log.info("streams drained", extra={"still_open": len(self._listeners)})

    def _add_watcher(self, key: str, listener: Listener) -> None:
        watchers = self._watchers.setdefault(key, set())
        watchers.add(listener)
        if len(watchers) == 1:
            self._channels.open(key)
        elif self._channels.is_open(key):
            listener.fall_behind(key)

    def _remove_watcher(self, key: str, listener: Listener) -> None:
        watchers = self._watchers.get(key, set())
        watchers.discard(listener)
        if not watchers and self._watchers.pop(key, None) is not None:
            self._channels.close(key)

    def _on_channel_open(self, key: str) -> None:
        for listener in self._watchers.get(key, ()):
            listener.fall_behind(key)

    def _on_frame(self, key: str, frame: Frame) -> None:
        watchers = self._watchers.get(key)
        if not watchers:
            return
        self._record(frame)
        encoded = frames.encode_frame(key, frame)
        for listener in watchers:
            listener.offer(encoded)

    def _record(self, frame: Frame) -> None:
        """Report the time of an event; messages of a tenant's channel are none and have no time."""
        event_time = msgspec.json.decode(frame.data, type=_EventTime).time
        if event_time is not None:
            self._on_event("milestone" if frame.sequence is not None else "progress", event_time)

    async def _load_snapshot(self, key: str) -> RunSnapshot | None:
        async with _read_deadline(f"the stream of run {run_id_of(key)}"):
            projected = await self._streams.snapshot(key)
        snapshot, epoch = (
            (projected.snapshot, projected.epoch) if projected else (await self._fallback(key), "")
        )
        if snapshot is None:
            return None
        return RunSnapshot(
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
                self._check_timers(listener, now)

    def _check_timers(self, listener: Listener, now: float) -> None:
        if now >= listener.closes_at:
            listener.close()
        elif now - listener.checked_at >= self._limits.recheck.total_seconds():
            listener.checked_at = now
            listener.request_check()
        if now - listener.sent_at >= self._limits.heartbeat.total_seconds():
            listener.request_heartbeat()


@asynccontextmanager
async def _read_deadline(what: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(_READ_TIMEOUT_S):
            yield
    except TimeoutError:
        raise Unavailable(f"{what} cannot be read right now; try again") from None
