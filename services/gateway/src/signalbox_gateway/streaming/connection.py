"""The conversation with one listener: read what it lacks from the log, then forward what is live, until its runs have ended."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from signalbox_core.errors import Unavailable
from signalbox_core.streams import Cursor, Frame, History
from signalbox_gateway.streaming import frames
from signalbox_gateway.streaming.cursor import CLOSED, NOWHERE, Feed, Verdict, event_id, judge, without_stale
from signalbox_gateway.streaming.hub import Hub, Shown
from signalbox_gateway.streaming.listener import Listener
from signalbox_gateway.streaming.tenant_runs import Roster
from signalbox_gateway.streaming.transport import Wire

MayListen = Callable[[], Awaitable[bool]]
_AGAIN_AFTER_S: Final = 0.5
_FLUSH_BYTES: Final = 64 * 1024


class Session:
    """Registered first, then history, then live: nothing falls between, and what came twice is dropped by its sequence.

    Args:
        wire: the connection.
        may_listen: whether the principal still may; asked now and then.
        roster: of a tenant's feed, whose runs come and go; its frames have no ids, as no id could name a place in all of them.
    """

    __slots__ = (
        "_feeds",
        "_hub",
        "_is_idle",
        "_listener",
        "_may_listen",
        "_only",
        "_out",
        "_out_bytes",
        "_roster",
        "_wire",
    )

    def __init__(
        self,
        hub: Hub,
        listener: Listener,
        feeds: Sequence[Feed],
        *,
        wire: Wire,
        may_listen: MayListen,
        roster: Roster | None = None,
    ) -> None:
        self._hub = hub
        self._listener = listener
        self._roster = roster
        self._feeds = {feed.run_id: feed for feed in feeds} if roster is None else roster.feeds
        self._wire = wire
        self._only = feeds[0] if len(feeds) == 1 and roster is None else None
        self._is_idle = False
        self._may_listen = may_listen
        self._out: list[bytes] = []
        self._out_bytes = 0

    async def run(self) -> None:
        """Return when every run has ended, the stream is to be closed, or the listener has gone."""
        listener = self._listener
        listener.deliver = self.deliver if self._only is not None else None
        while not self._is_over():
            self._is_idle = True
            await listener.woken()
            self._is_idle = False
            await self._wire.settle()
            if listener.behind:
                await self._catch_up_all()
                self._forward(without_stale(listener.take(), self._feeds))
            else:
                self._forward(listener.take())
            if listener.wants_check or listener.wants_heartbeat:
                await self._house_keep()
            await self._flush()

    def deliver(self, packet: frames.Packet) -> bool:
        """Send a frame in the hub's own turn, without waking this session: a third of the work. False: it has to be buffered."""
        feed, listener = self._only, self._listener
        if (
            feed is None
            or not self._is_idle
            or listener.behind
            or listener.is_closed
            or not feed.is_next(packet.frame)
        ):
            return False
        feed.move(packet)
        self._wire.write_now(packet.wire)
        listener.sent_at = asyncio.get_running_loop().time()
        if self._wire.is_full:
            self._is_idle = False
            listener.wake()
        return True

    def _is_over(self) -> bool:
        listener = self._listener
        if listener.is_gone or listener.is_closed:
            return True
        return self._roster is None and all(feed.has_ended for feed in self._feeds.values())

    async def _house_keep(self) -> None:
        listener = self._listener
        if listener.wants_check:
            listener.wants_check = False
            if not await self._may_listen():
                listener.close()
        if listener.wants_heartbeat:
            listener.wants_heartbeat = False
            if not self._out:
                self._say(frames.HEARTBEAT)

    async def _catch_up_all(self) -> None:
        # Taken before the reading, so that a loss during it counts.
        behind, self._listener.behind = self._listener.behind, set()
        for run_id in sorted(behind):
            try:
                if self._roster is not None and run_id == self._roster.topic:
                    self._say(await self._roster.read())
                elif run_id in self._feeds:
                    await self._catch_up(self._feeds[run_id])
            except Unavailable:
                asyncio.get_running_loop().call_later(_AGAIN_AFTER_S, self._listener.fall_behind, run_id)

    async def _catch_up(self, feed: Feed) -> None:
        while not feed.has_ended and not self._listener.is_gone:
            if feed.position is None:
                await self._start_over(feed)
                continue
            history = await self._hub.read(feed.run_id, feed.position if feed.position.epoch else None)
            if not feed.position.epoch:
                if not self._adopt(feed, feed.position, history):
                    return
            elif history.lost:
                feed.lose()
            elif not await self._send_page(feed, feed.position, history):
                return

    def _adopt(self, feed: Feed, position: Cursor, history: History) -> bool:
        """The run had no stream: take the one it has now. False when it still has none, or when it is behind what was sent."""
        if not history.epoch:
            return False
        if history.top < position.sequence and history.ended:
            feed.lose()
            return True
        feed.position = Cursor(history.epoch, position.sequence)
        return history.top >= position.sequence

    async def _send_page(self, feed: Feed, position: Cursor, history: History) -> bool:
        """Send a page of the log; False when it was the last."""
        for frame in history.frames:
            self._send_frame(feed, frame)
            await self._flush(at_least=_FLUSH_BYTES)
        if history.ended and not history.frames and position.sequence >= history.top:
            self._end(feed, with_id=True)
        return bool(history.frames)

    async def _start_over(self, feed: Feed) -> None:
        """Send a snapshot and stand where it stands, or at the start: the whole story follows to who saw nothing of it, when it has
        ended or the listener asked for it."""
        shown = await self._hub.snapshot(feed.run_id)
        if feed.must_reset:
            self._say(frames.reset_event(feed.run_id))
        saw_something, feed.must_reset = feed.must_reset, False
        feed.position = shown.position if shown else NOWHERE
        if shown is None:
            return
        self._say(shown.event)
        wants_all = not saw_something and (shown.has_ended or feed.wants_history)
        if wants_all and await self._has_all(feed.run_id, shown):
            feed.position = Cursor(shown.position.epoch, 0)
        elif shown.has_ended:
            feed.position = Cursor(shown.position.epoch or CLOSED, shown.position.sequence)
            self._end(feed, with_id=True)

    async def _has_all(self, run_id: str, shown: Shown) -> bool:
        """Whether the run's stream begins with its first event; one that is not there yet will."""
        start = Cursor(shown.position.epoch, 0)
        return not (await self._hub.read(run_id, start)).lost if start.epoch else not shown.is_overdue

    def _forward(self, packets: Sequence[frames.Packet]) -> None:
        for packet in packets:
            if self._roster is not None and packet.run_id == self._roster.topic:
                self._say(self._roster.hear(packet))
                continue
            feed = self._feeds.get(packet.run_id)
            if (
                feed is None
                or feed.has_ended
                or feed.position is None
                or packet.run_id in self._listener.behind
            ):
                continue
            verdict = judge(feed.position, packet.frame)
            if verdict is Verdict.SEND:
                self._send_live(feed, packet)
            elif verdict is not Verdict.DROP:
                if verdict is Verdict.RESET:
                    feed.lose()
                self._listener.fall_behind(packet.run_id)

    def _send_live(self, feed: Feed, packet: frames.Packet) -> None:
        feed.move(packet)
        if self._roster is not None:
            self._say(packet.body)
        elif len(self._feeds) == 1:
            self._say(packet.wire)
        else:
            self._say((self._id() if packet.frame.sequence is not None else b"") + packet.body)
        if packet.frame.terminal:
            self._end(feed, with_id=False)

    def _send_frame(self, feed: Feed, frame: Frame) -> None:
        self._send_live(feed, frames.packet(feed.run_id, frame))

    def _end(self, feed: Feed, *, with_id: bool) -> None:
        """A listener that saw the terminal frame has its id already."""
        feed.has_ended = True
        self._say((self._id() if with_id and self._roster is None else b"") + frames.end_event(feed.run_id))
        if self._roster is not None:
            self._roster.part(feed.run_id)

    def _id(self) -> bytes:
        return frames.id_line(event_id(list(self._feeds.values())))

    def _say(self, data: bytes) -> None:
        if data:
            self._out.append(data)
            self._out_bytes += len(data)

    async def _flush(self, *, at_least: int = 1) -> None:
        if self._out_bytes < at_least or self._listener.is_gone:
            return
        data, self._out, self._out_bytes = b"".join(self._out), [], 0
        await self._wire.write(data)
        self._listener.sent_at = asyncio.get_running_loop().time()
