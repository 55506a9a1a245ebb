"""Tracks which activities of a trace are scheduled: a batch is scheduled at once, or a few at a time."""

from collections import Counter
from collections.abc import Sequence

from signalbox_simulator.traces import ArrivalBatch


class BatchSchedule:
    """The scheduling state of all batches of a trace. Activities are numbered across batches."""

    def __init__(self, batches: Sequence[ArrivalBatch]) -> None:
        self.durations_s = [duration for batch in batches for duration in batch.durations_s]
        self.unscheduled = 0
        """Activities of batches that have arrived, held back by their in-flight limit."""
        self._unfinished = Counter[int]()
        self._batches = batches
        self._batch_of = [number for number, batch in enumerate(batches) for _ in batch.durations_s]
        self._scheduled = [0] * len(batches)
        self._left = [len(batch.durations_s) for batch in batches]
        self._first: list[int] = []
        first = 0
        for batch in batches:
            self._first.append(first)
            first += len(batch.durations_s)

    def arrive(self, number: int) -> range:
        """A batch arrives: the activities to schedule now, which are all of it or as many as its limit
        allows.
        """
        batch = self._batches[number]
        total = len(batch.durations_s)
        count = total if batch.in_flight is None else min(batch.in_flight, total)
        self._scheduled[number] = count
        self.unscheduled += total - count
        self._unfinished[batch.version] += 1 if total else 0
        return range(self._first[number], self._first[number] + count)

    def finish(self, activity: int) -> int | None:
        """Return the activity of the same batch to schedule next, if the batch limits those in flight."""
        number = self._batch_of[activity]
        self._left[number] -= 1
        self._unfinished[self._batches[number].version] -= 0 if self._left[number] else 1
        batch, scheduled = self._batches[number], self._scheduled[number]
        if batch.in_flight is None or scheduled >= len(batch.durations_s):
            return None
        self._scheduled[number] += 1
        self.unscheduled -= 1
        return self._first[number] + scheduled

    def unfinished(self, version: int | None) -> int:
        """The number of batches that have arrived and have activities to finish, of one version or of all."""
        return self._unfinished.total() if version is None else self._unfinished[version]

    def version_of(self, activity: int) -> int:
        """Return the version that the activity's workflow is pinned to."""
        return self._batches[self._batch_of[activity]].version

    def in_flight_limit(self, now: float) -> int:
        """The sum of the in-flight limits of all batches that have arrived and are not fully scheduled."""
        return sum(
            batch.in_flight
            for batch, scheduled in zip(self._batches, self._scheduled, strict=True)
            if batch.in_flight is not None and batch.at_s <= now and scheduled < len(batch.durations_s)
        )
