"""The hub's side of one open SSE connection: a bounded frame buffer and flags that wake its task."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from signalbox_gateway.streaming.frames import EncodedFrame
from signalbox_gateway.streaming.limits import ConnectionOwner

MAX_BUFFERED_FRAMES: Final = 256
MAX_BUFFERED_BYTES: Final = 256 * 1024


class Listener:
    """A frame buffer with backpressure: on overflow it is cleared and every run is marked behind.

    A run that is behind is read from its log again, so a slow listener's memory is bounded.

    Attributes:
        behind: keys of the runs whose log must be read before their live frames can be sent.
        is_closed: the stream must end cleanly.
        is_disconnected: the client has disconnected; nothing can be sent.
        send_direct: sends a frame without buffering it, if the connection is idle and the frame is the next
            one. Returns whether it did.
        check_due: the authorization must be checked again.
        heartbeat_due: a comment must be sent.
        reconnect_ms: the `retry:` that is sent as the stream ends; None leaves the first one in force.
        sent_at: when bytes were last sent, on the event loop's clock.
    """

    __slots__ = (
        "_bytes",
        "_frames",
        "_has_work",
        "_waiter",
        "behind",
        "check_due",
        "checked_at",
        "closes_at",
        "heartbeat_due",
        "is_closed",
        "is_disconnected",
        "owner",
        "reconnect_ms",
        "runs",
        "send_direct",
        "sent_at",
    )

    def __init__(
        self,
        runs: Iterable[str],
        *,
        now: float,
        closes_at: float,
        owner: ConnectionOwner = ConnectionOwner(),  # noqa: B008
    ) -> None:
        self.owner = owner
        self.runs = list(runs)
        self.behind: set[str] = set()
        self.send_direct: Callable[[EncodedFrame], bool] | None = None
        self.is_closed = False
        self.is_disconnected = False
        self.heartbeat_due = False
        self.check_due = False
        self.reconnect_ms: int | None = None
        self.sent_at = now
        self.checked_at = now
        self.closes_at = closes_at
        self._frames: list[EncodedFrame] = []
        self._bytes = 0
        self._has_work = False
        self._waiter: asyncio.Future[None] | None = None

    def offer(self, frame: EncodedFrame) -> None:
        """Buffer a live frame, also of a run that is behind: it may be newer than what the log returns."""
        if self.send_direct is not None and not self._frames and self.send_direct(frame):
            return
        if len(self._frames) >= MAX_BUFFERED_FRAMES or (
            self._frames and self._bytes + len(frame.body) > MAX_BUFFERED_BYTES
        ):
            self._frames.clear()
            self._bytes = 0
            self.behind.update(self.runs)
        self._frames.append(frame)
        self._bytes += len(frame.body)
        self.wake()

    def fall_behind(self, key: str) -> None:
        """Have the run's log read again before its next live frame is sent."""
        self.behind.add(key)
        self.wake()

    def request_heartbeat(self) -> None:
        self.heartbeat_due = True
        self.wake()

    def request_check(self) -> None:
        """Have the connection check again whether its principal may listen."""
        self.check_due = True
        self.wake()

    def close(self, reconnect_ms: int | None = None) -> None:
        """End the stream cleanly, after a `retry:` of `reconnect_ms` if that is given."""
        if reconnect_ms is not None:
            self.reconnect_ms = reconnect_ms
        self.is_closed = True
        self.wake()

    def disconnect(self) -> None:
        """Record that the client has disconnected."""
        self.is_disconnected = True
        self.wake()

    def wake(self) -> None:
        self._has_work = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def wait(self) -> None:
        """Wait until there is work. A single waiter needs only a future; an Event costs a kilobyte."""
        if not self._has_work:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
            self._waiter = None
        self._has_work = False

    def take_buffered(self) -> list[EncodedFrame]:
        """Return the buffered frames and clear the buffer."""
        frames, self._frames, self._bytes = self._frames, [], 0
        return frames
