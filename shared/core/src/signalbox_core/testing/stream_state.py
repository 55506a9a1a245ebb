"""What FakeRunStream keeps of one run."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from signalbox_core.events.catalogue import TERMINAL
from signalbox_core.streams.approval_marks import Marks
from signalbox_core.streams.record import Record
from signalbox_core.streams.run_stream import Frame


@dataclass(kw_only=True)
class FakeRunState:
    """The stream of one run."""

    epoch: str
    tenant: str
    top: int = 0
    ended: bool = False
    ended_at: datetime | None = None
    gap_since: datetime | None = None
    retried_as: str | None = None
    log: list[Record] = field(default_factory=list)
    newest: dict[str, bytes] = field(default_factory=dict)
    marks: dict[str, str] = field(default_factory=dict)
    parked: dict[int, Record] = field(default_factory=dict)

    def set_marks(self, marks: Sequence[str]) -> None:
        """Set marks, given as names and values in turn."""
        self.marks.update(
            {name: value for place, (name, value) in enumerate(pairwise(marks)) if place % 2 == 0}
        )

    def read_marks(self, names: Sequence[str]) -> Marks:
        """Read marks as the inbox does, including those that every existing stream has."""
        known = {**self.marks, "epoch": self.epoch, **({"terminal": "run.ended"} if self.ended else {})}
        return {name: known[name].encode() if name in known else None for name in names}


def frame_of(epoch: str, record: Record) -> Frame:
    """Create the frame that listeners get of a record."""
    name = record.name
    return Frame(
        epoch=epoch,
        sequence=record.sequence or None,
        name=name,
        data=record.data.encode(),
        terminal=name in TERMINAL,
    )
