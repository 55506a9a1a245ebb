"""Where a listener stands in a run, and what a live frame means to it. Pure."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

from signalbox_core.errors import InvalidInput
from signalbox_core.streams import Cursor, Frame
from signalbox_gateway.streaming.frames import Packet

NOWHERE: Final = Cursor("", 0)
"""The run has no stream yet."""
CLOSED: Final = "closed"
"""The epoch in the cursor of a run that ended and has no stream any more."""


class Verdict(StrEnum):
    SEND = "send"
    DROP = "drop"
    """Seen already."""
    REREAD = "reread"
    """Frames are missing before this one: read the log from the position."""
    RESET = "reset"
    """The stream is another one than the listener's."""


def judge(position: Cursor, frame: Frame) -> Verdict:
    """What to do with a live frame at a position."""
    if not frame.epoch:
        return Verdict.SEND
    if not position.epoch:
        return Verdict.REREAD
    if frame.epoch != position.epoch:
        return Verdict.RESET
    if frame.sequence is None:
        return Verdict.DROP if frame.name == "stream.rebuilt" else Verdict.SEND
    if frame.sequence > position.sequence:
        return Verdict.SEND if frame.sequence == position.sequence + 1 else Verdict.REREAD
    # A listener at a position never saw the terminal frame, so one from behind means that its snapshot ran ahead of the log.
    return Verdict.RESET if frame.terminal else Verdict.DROP


class Feed:
    """One run of a listener: where it stands.

    Attributes:
        position: the last frame sent; None: a snapshot comes first.
        must_reset: the listener has something that it must forget before that snapshot.
        wants_history: every event from the first is to follow that snapshot.
        has_ended: nothing more is to be sent.
    """

    __slots__ = ("has_ended", "must_reset", "position", "run_id", "wants_history")

    def __init__(
        self, run_id: str, position: Cursor | None, *, must_reset: bool = False, wants_history: bool = False
    ) -> None:
        self.run_id = run_id
        self.position = position
        self.must_reset = must_reset
        self.wants_history = wants_history
        self.has_ended = False

    def lose(self) -> None:
        """The position is of no use any more."""
        self.position = None
        self.must_reset = True

    def move(self, packet: Packet) -> None:
        if packet.cursor is not None:
            self.position = packet.cursor

    def is_next(self, frame: Frame) -> bool:
        """Whether this live frame simply follows; the common case of `judge`."""
        position = self.position
        if position is None or frame.epoch != position.epoch or not frame.epoch or frame.terminal:
            return False
        return frame.sequence == position.sequence + 1 or (
            frame.sequence is None and frame.name != "stream.rebuilt"
        )


def parse_feeds(runs: Sequence[str], last_event_id: str | None, *, wants_history: bool = False) -> list[Feed]:
    """Where a (re)connecting listener stands: one cursor a run, in the order of the runs, `-` for none.

    Something that is no such id is answered as a lost place is: with a reset.
    """
    if not last_event_id:
        return [Feed(run_id, None, wants_history=wants_history) for run_id in runs]
    parts = last_event_id.split(",")
    try:
        cursors = [None if part == "-" else Cursor.parse(part) for part in parts]
    except InvalidInput:
        cursors = []
    if len(cursors) != len(runs):
        return [Feed(run_id, None, must_reset=True) for run_id in runs]
    return [
        Feed(run_id, cursor, wants_history=wants_history)
        for run_id, cursor in zip(runs, cursors, strict=True)
    ]


def event_id(feeds: Sequence[Feed]) -> str:
    """The id from which all of these runs go on."""
    return ",".join(
        "-" if feed.position is None or not feed.position.epoch else str(feed.position) for feed in feeds
    )


def without_stale(packets: Sequence[Packet], feeds: Mapping[str, Feed]) -> list[Packet]:
    """Drop what was buffered before the newest frame that the log already gave: its progress is older than what was sent."""
    last_stale: dict[str, int] = {}
    for place, packet in enumerate(packets):
        feed = feeds.get(packet.run_id)
        position = feed.position if feed is not None else None
        if position is not None and _is_covered(position, packet.frame):
            last_stale[packet.run_id] = place
    return [packet for place, packet in enumerate(packets) if place >= last_stale.get(packet.run_id, 0)]


def _is_covered(position: Cursor, frame: Frame) -> bool:
    return (
        frame.sequence is not None and frame.epoch == position.epoch and frame.sequence <= position.sequence
    )
