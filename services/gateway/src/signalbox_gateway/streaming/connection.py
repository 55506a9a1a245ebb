"""Serves one listener: catches up from the log, then forwards live frames until its runs have ended."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from signalbox_core.errors import Unavailable
from signalbox_core.streams import Cursor, Frame, History
from signalbox_gateway.streaming import frames
from signalbox_gateway.streaming.cursor import (
    CLOSED_EPOCH,
    NO_STREAM,
    FrameAction,
    RunSubscription,
    classify_frame,
    drop_stale,
    event_id,
)
from signalbox_gateway.streaming.hub import Hub, RunSnapshot
from signalbox_gateway.streaming.listener import Listener
from signalbox_gateway.streaming.tenant_runs import TenantRuns
from signalbox_gateway.streaming.transport import SseTransport

AuthorizationCheck = Callable[[], Awaitable[bool]]
_RETRY_AFTER_S: Final = 0.5
_FLUSH_BYTES: Final = 64 * 1024


class StreamConnection:
    """The stream of one listener: snapshots, history and live frames, in order.

    The listener joins the hub before the log is read, so no frame is missed between history and live; frames
    received twice are deduplicated by sequence.

    Args:
        transport: the SSE connection.
        is_authorized: whether the principal may still listen; re-checked periodically.
        tenant_runs: the runs of a tenant's stream; None for a stream of named runs.
    """

    __slots__ = (
        "_hub",
        "_is_authorized",
        "_is_idle",
        "_listener",
        "_outgoing",
        "_outgoing_bytes",
        "_single_run",
        "_subscriptions",
        "_tenant_runs",
        "_transport",
    )

    def __init__(
        self,
        hub: Hub,
        listener: Listener,
        subscriptions: Sequence[RunSubscription],
        *,
        transport: SseTransport,
        is_authorized: AuthorizationCheck,
        tenant_runs: TenantRuns | None = None,
    ) -> None:
        self._hub = hub
        self._listener = listener
        self._tenant_runs = tenant_runs
        self._subscriptions = (
            {subscription.key: subscription for subscription in subscriptions}
            if tenant_runs is None
            else tenant_runs.subscriptions
        )
        self._transport = transport
        self._single_run = subscriptions[0] if len(subscriptions) == 1 and tenant_runs is None else None
        self._is_idle = False
        self._is_authorized = is_authorized
        self._outgoing: list[bytes] = []
        self._outgoing_bytes = 0

    async def run(self) -> None:
        """Serve until every run has ended, the listener is closed, or the client has disconnected."""
        listener = self._listener
        listener.send_direct = self.send_direct if self._single_run is not None else None
        while not self._is_over():
            self._is_idle = True
            await listener.wait()
            self._is_idle = False
            await self._transport.drain()
            if listener.behind:
                await self._catch_up_all()
                self._forward(drop_stale(listener.take_buffered(), self._subscriptions))
            else:
                self._forward(listener.take_buffered())
            if listener.check_due or listener.heartbeat_due:
                await self._maintain()
            await self._flush()

    def send_direct(self, frame: frames.EncodedFrame) -> bool:
        """Send a frame synchronously from the hub, without waking this task; a third of the CPU time.

        Returns:
            False when the frame has to be buffered instead.
        """
        subscription, listener = self._single_run, self._listener
        if (
            subscription is None
            or not self._is_idle
            or listener.behind
            or listener.is_closed
            or not subscription.is_next(frame.frame)
        ):
            return False
        subscription.advance(frame)
        self._transport.send_nowait(frame.with_id)
        listener.sent_at = asyncio.get_running_loop().time()
        if self._transport.is_blocked:
            self._is_idle = False
            listener.wake()
        return True

    def _is_over(self) -> bool:
        listener = self._listener
        if listener.is_disconnected or listener.is_closed:
            return True
        return self._tenant_runs is None and all(
            subscription.has_ended for subscription in self._subscriptions.values()
        )

    async def _maintain(self) -> None:
        listener = self._listener
        if listener.check_due:
            listener.check_due = False
            if not await self._is_authorized():
                listener.close()
        if listener.heartbeat_due:
            listener.heartbeat_due = False
            if not self._outgoing:
                self._write(frames.HEARTBEAT)

    async def _may_continue(self) -> bool:
        if self._listener.check_due:
            await self._maintain()
        return not (self._listener.is_closed or self._listener.is_disconnected)

    async def _catch_up_all(self) -> None:
        # Cleared before the log is read, so that an overflow during the read is not lost.
        behind, self._listener.behind = self._listener.behind, set()
        for key in sorted(behind):
            try:
                if self._tenant_runs is not None and key == self._tenant_runs.topic:
                    self._write(await self._tenant_runs.load_open_runs())
                elif key in self._subscriptions:
                    await self._catch_up(self._subscriptions[key])
            except Unavailable:
                asyncio.get_running_loop().call_later(_RETRY_AFTER_S, self._listener.fall_behind, key)

    async def _catch_up(self, subscription: RunSubscription) -> None:
        while not subscription.has_ended and await self._may_continue():
            if subscription.position is None:
                await self._send_snapshot(subscription)
                continue
            history = await self._hub.read(
                subscription.key, subscription.position if subscription.position.epoch else None
            )
            if not subscription.position.epoch:
                if not self._adopt_epoch(subscription, subscription.position, history):
                    return
            elif history.lost:
                subscription.reset()
            elif not await self._send_page(subscription, subscription.position, history):
                return

    def _adopt_epoch(self, subscription: RunSubscription, position: Cursor, history: History) -> bool:
        """Switch a run that had no stream to the one it has now.

        Returns:
            False when there is still no stream, or when it has not reached the position already sent.
        """
        if not history.epoch:
            return False
        if history.top < position.sequence and history.ended:
            subscription.reset()
            return True
        subscription.position = Cursor(history.epoch, position.sequence)
        return history.top >= position.sequence

    async def _send_page(self, subscription: RunSubscription, position: Cursor, history: History) -> bool:
        """Send one page of the log. Returns False when there are no more pages."""
        for frame in history.frames:
            self._send_frame(subscription, frame)
            await self._flush(at_least=_FLUSH_BYTES)
            # A slow reader may take longer for a page than its permission or its stream lasts.
            if not await self._may_continue():
                return False
        if history.ended and not history.frames and position.sequence >= history.top:
            self._send_end(subscription, with_id=True)
        return bool(history.frames)

    async def _send_snapshot(self, subscription: RunSubscription) -> None:
        """Send a snapshot and continue from it.

        The full history follows if the listener has seen nothing of the run, and the run has ended or the
        listener requested its history.
        """
        snapshot = await self._hub.snapshot(subscription.key)
        if subscription.needs_reset:
            self._write(frames.reset_event(subscription.run_id))
        was_reset, subscription.needs_reset = subscription.needs_reset, False
        subscription.position = snapshot.position if snapshot else NO_STREAM
        if snapshot is None:
            return
        self._write(snapshot.event)
        sends_history = not was_reset and (snapshot.has_ended or subscription.include_history)
        if sends_history and await self._has_full_history(subscription.key, snapshot):
            subscription.position = Cursor(snapshot.position.epoch, 0)
        elif snapshot.has_ended:
            subscription.position = Cursor(
                snapshot.position.epoch or CLOSED_EPOCH, snapshot.position.sequence
            )
            self._send_end(subscription, with_id=True)

    async def _has_full_history(self, key: str, snapshot: RunSnapshot) -> bool:
        """Whether the log has the run's first event; true for an expected stream that does not exist yet."""
        start = Cursor(snapshot.position.epoch, 0)
        return not (await self._hub.read(key, start)).lost if start.epoch else not snapshot.is_overdue

    def _forward(self, batch: Sequence[frames.EncodedFrame]) -> None:
        for frame in batch:
            if self._tenant_runs is not None and frame.key == self._tenant_runs.topic:
                self._write(self._tenant_runs.on_event(frame))
                continue
            subscription = self._subscriptions.get(frame.key)
            if (
                subscription is None
                or subscription.has_ended
                or subscription.position is None
                or frame.key in self._listener.behind
            ):
                continue
            action = classify_frame(subscription.position, frame.frame)
            if action is FrameAction.SEND:
                self._send_live(subscription, frame)
            elif action is not FrameAction.DROP:
                if action is FrameAction.RESET:
                    subscription.reset()
                self._listener.fall_behind(frame.key)

    def _send_live(self, subscription: RunSubscription, frame: frames.EncodedFrame) -> None:
        subscription.advance(frame)
        if self._single_run is not None:
            self._write(frame.with_id)
        else:
            self._write((self._id_line() if frame.frame.sequence is not None else b"") + frame.body)
        if frame.frame.terminal:
            self._send_end(subscription, with_id=False)

    def _send_frame(self, subscription: RunSubscription, frame: Frame) -> None:
        self._send_live(subscription, frames.encode_frame(subscription.key, frame))

    def _send_end(self, subscription: RunSubscription, *, with_id: bool) -> None:
        """Send the `end` event. `with_id` is False after the terminal frame, which already carried the id."""
        subscription.has_ended = True
        if self._tenant_runs is not None:
            self._tenant_runs.remove(subscription.key)
        # With all runs of a tenant the id records that the end was sent, not only the terminal frame.
        has_id = with_id or self._tenant_runs is not None
        self._write((self._id_line() if has_id else b"") + frames.end_event(subscription.run_id))

    def _id_line(self) -> bytes:
        if self._tenant_runs is not None:
            return frames.id_line(self._tenant_runs.event_id())
        return frames.id_line(event_id(list(self._subscriptions.values())))

    def _write(self, data: bytes) -> None:
        if data:
            self._outgoing.append(data)
            self._outgoing_bytes += len(data)

    async def _flush(self, *, at_least: int = 1) -> None:
        if self._outgoing_bytes < at_least or self._listener.is_disconnected:
            return
        data, self._outgoing, self._outgoing_bytes = b"".join(self._outgoing), [], 0
        await self._transport.write(data)
        self._listener.sent_at = asyncio.get_running_loop().time()
