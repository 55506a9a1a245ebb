"""A listener's position in each run, and what to do with a live frame at that position. Pure."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

from signalbox_core.errors import InvalidInput
from signalbox_core.ids import run_id_of
from signalbox_core.streams import Cursor, Frame
from signalbox_gateway.streaming.frames import EncodedFrame

NO_STREAM: Final = Cursor("", 0)
"""The position in a run that has no stream yet."""
CLOSED_EPOCH: Final = "closed"
"""The epoch in the cursor of a run that has ended and whose stream no longer exists."""


class FrameAction(StrEnum):
    """What a connection does with a live frame."""

    SEND = "send"
    DROP = "drop"
    """A duplicate: it was sent before."""
    REREAD = "reread"
    """Frames before this one are missing: read the log from the position."""
    RESET = "reset"
    """The frame belongs to another epoch of the stream: send a reset and a new snapshot."""


def classify_frame(position: Cursor, frame: Frame) -> FrameAction:
    """Choose what to do with a live frame at a position."""
    if not frame.epoch:
        return FrameAction.SEND
    if not position.epoch:
        return FrameAction.REREAD
    if frame.epoch != position.epoch:
        return FrameAction.RESET
    if frame.sequence is None:
        return FrameAction.DROP if frame.name == "stream.rebuilt" else FrameAction.SEND
    if frame.sequence > position.sequence:
        return FrameAction.SEND if frame.sequence == position.sequence + 1 else FrameAction.REREAD
    # A connection ends at the terminal frame; an older sequence means that the snapshot was ahead of the log.
    return FrameAction.RESET if frame.terminal else FrameAction.DROP


class RunSubscription:
    """A listener's state for one run.

    Attributes:
        key: of the run's stream.
        position: the cursor of the last frame sent; None when a snapshot must be sent first.
        needs_reset: send `reset` before that snapshot, because the client holds outdated state.
        include_history: send every event from the first after that snapshot.
        has_ended: there is nothing more to send.
    """

    __slots__ = ("has_ended", "include_history", "key", "needs_reset", "position")

    def __init__(
        self,
        key: str,
        position: Cursor | None,
        *,
        needs_reset: bool = False,
        include_history: bool = False,
    ) -> None:
        self.key = key
        self.position = position
        self.needs_reset = needs_reset
        self.include_history = include_history
        self.has_ended = False

    @property
    def run_id(self) -> str:
        return run_id_of(self.key)

    def reset(self) -> None:
        """Discard the position: send `reset` and a new snapshot next."""
        self.position = None
        self.needs_reset = True

    def advance(self, frame: EncodedFrame) -> None:
        """Move the position past a frame that was sent."""
        if frame.cursor is not None:
            self.position = frame.cursor

    def is_next(self, frame: Frame) -> bool:
        """Whether this live frame directly follows the position: the fast path of `classify_frame`."""
        position = self.position
        if position is None or frame.epoch != position.epoch or not frame.epoch or frame.terminal:
            return False
        return frame.sequence == position.sequence + 1 or (
            frame.sequence is None and frame.name != "stream.rebuilt"
        )


def parse_subscriptions(
    keys: Sequence[str], last_event_id: str | None, *, include_history: bool = False
) -> list[RunSubscription]:
    """Parse `Last-Event-ID`: one cursor per run, in the order of the runs, `-` for none.

    A malformed id is treated like an expired position: every run is reset.
    """
    if not last_event_id:
        return [RunSubscription(key, None, include_history=include_history) for key in keys]
    parts = last_event_id.split(",")
    try:
        cursors = [None if part == "-" else Cursor.parse(part) for part in parts]
    except InvalidInput:
        cursors = []
    if len(cursors) != len(keys):
        return [RunSubscription(key, None, needs_reset=True) for key in keys]
    return [
        RunSubscription(key, cursor, include_history=include_history)
        for key, cursor in zip(keys, cursors, strict=True)
    ]


def event_id(subscriptions: Sequence[RunSubscription]) -> str:
    """The event id that holds the position of every run, for `Last-Event-ID`."""
    return ",".join(
        "-"
        if subscription.position is None or not subscription.position.epoch
        else str(subscription.position)
        for subscription in subscriptions
    )


def drop_stale(
    buffered: Sequence[EncodedFrame], subscriptions: Mapping[str, RunSubscription]
) -> list[EncodedFrame]:
    """Drop buffered frames up to the newest one that was already read from the log.

    Progress frames among them have no sequence of their own and are older than what was sent.
    """
    last_stale: dict[str, int] = {}
    for index, frame in enumerate(buffered):
        subscription = subscriptions.get(frame.key)
        position = subscription.position if subscription is not None else None
        if position is not None and _is_covered(position, frame.frame):
            last_stale[frame.key] = index
    return [frame for index, frame in enumerate(buffered) if index >= last_stale.get(frame.key, 0)]


def _is_covered(position: Cursor, frame: Frame) -> bool:
    return (
        frame.sequence is not None and frame.epoch == position.epoch and frame.sequence <= position.sequence
    )
