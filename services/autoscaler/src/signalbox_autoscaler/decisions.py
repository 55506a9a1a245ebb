"""Decision records: what was seen of a task queue and what was done about it. Kept in memory, newest first. Pure."""

from collections import deque
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

MAX_KEPT: Final = 2_000
OBSERVING: Final = "observing"
"""The reason of every decision of this version: it looks and launches nothing."""


class Backlog(Struct, frozen=True, kw_only=True):
    """One look at one task queue.

    Attributes:
        workflow_tasks, activities: approximate tasks that wait for a worker.
        oldest_s: how long the oldest of them has waited.
        workers: heartbeating workers that serve the queue.
    """

    queue: str
    workflow_tasks: int
    activities: int
    oldest_s: float
    workers: int


class DecisionRecord(Struct, frozen=True, kw_only=True):
    at: datetime
    backlog: Backlog
    launches: int
    reason: str


def decide(backlog: Backlog, now: datetime) -> DecisionRecord:
    """What to do about a backlog: nothing yet."""
    return DecisionRecord(at=now, backlog=backlog, launches=0, reason=OBSERVING)


class Ledger:
    """The last 2,000 decisions; older ones are forgotten."""

    def __init__(self) -> None:
        self._kept: deque[DecisionRecord] = deque(maxlen=MAX_KEPT)

    def add(self, records: Sequence[DecisionRecord]) -> None:
        self._kept.extendleft(records)

    def newest(self, *, queue: str | None, limit: int) -> list[DecisionRecord]:
        found = (record for record in self._kept if queue is None or record.backlog.queue == queue)
        return [record for record, _ in zip(found, range(limit), strict=False)]

    def latest_by_queue(self) -> dict[str, DecisionRecord]:
        latest: dict[str, DecisionRecord] = {}
        for record in self._kept:
            latest.setdefault(record.backlog.queue, record)
        return dict(sorted(latest.items()))
