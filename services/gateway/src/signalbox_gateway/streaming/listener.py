"""One open SSE connection as the hub sees it: a bounded buffer of shared bytes and a few flags that wake its session."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from signalbox_gateway.streaming.frames import Packet
from signalbox_gateway.streaming.limits import Holder

MAX_BUFFERED_FRAMES: Final = 256
MAX_BUFFERED_BYTES: Final = 256 * 1024


class Listener:
    """Full buffer: it is emptied and every run is read from its log again, so a slow listener costs no more than this.

    Attributes:
        behind: the runs whose log must be read before their live frames can be sent.
        is_closed: end the stream cleanly.
        is_gone: the other side has left; nothing can be sent.
        deliver: sends a frame at once when the listener is idle and it is simply the next one; True when it did.
        sent_at: when bytes were last handed to the connection, on the loop's clock.
    """

    __slots__ = (
        "_bytes",
        "_is_due",
        "_packets",
        "_waiter",
        "behind",
        "checked_at",
        "closes_at",
        "deliver",
        "holder",
        "is_closed",
        "is_gone",
        "runs",
        "sent_at",
        "wants_check",
        "wants_heartbeat",
    )

    def __init__(
        self,
        runs: Iterable[str],
        *,
        now: float,
        closes_at: float,
        holder: Holder = Holder(),  # noqa: B008
    ) -> None:
        self.holder = holder
        self.runs = list(runs)
        self.behind: set[str] = set()
        self.deliver: Callable[[Packet], bool] | None = None
        self.is_closed = False
        self.is_gone = False
        self.wants_heartbeat = False
        self.wants_check = False
        self.sent_at = now
        self.checked_at = now
        self.closes_at = closes_at
        self._packets: list[Packet] = []
        self._bytes = 0
        self._is_due = False
        self._waiter: asyncio.Future[None] | None = None

    def offer(self, packet: Packet) -> None:
        """Buffer a live frame; those of a run that is behind are kept too, as they may be later than what its log says."""
        if self.deliver is not None and not self._packets and self.deliver(packet):
            return
        if len(self._packets) >= MAX_BUFFERED_FRAMES or (
            self._packets and self._bytes + len(packet.body) > MAX_BUFFERED_BYTES
        ):
            self._packets.clear()
            self._bytes = 0
            self.behind.update(self.runs)
        self._packets.append(packet)
        self._bytes += len(packet.body)
        self.wake()

    def fall_behind(self, run_id: str) -> None:
        self.behind.add(run_id)
        self.wake()

    def beat(self) -> None:
        self.wants_heartbeat = True
        self.wake()

    def check(self) -> None:
        """Ask the session whether its principal may still listen."""
        self.wants_check = True
        self.wake()

    def close(self) -> None:
        self.is_closed = True
        self.wake()

    def leave(self) -> None:
        self.is_gone = True
        self.wake()

    def wake(self) -> None:
        self._is_due = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def woken(self) -> None:
        """Wait until there is something to do. One waits at a time, so a future does; an Event is a kilobyte."""
        if not self._is_due:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
            self._waiter = None
        self._is_due = False

    def take(self) -> list[Packet]:
        """Empty the buffer."""
        packets, self._packets, self._bytes = self._packets, [], 0
        return packets
