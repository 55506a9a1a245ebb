"""Call statistics by taxpayer and kind of call: counts, concurrency, and intervals between starts."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

GROUPS: Final[Mapping[str, tuple[str, ...]]] = {"list": ("queries", "all"), "detail": ("queries", "all")}
"""Additional groups that a kind is counted in; by default only `all`."""
WINDOWS_S: Final = (1, 10)


class CallStats:
    """Calls of one kind or group by one taxpayer."""

    def __init__(self) -> None:
        self.starts: list[float] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.statuses: Counter[str] = Counter()

    def started(self, at_s: float) -> None:
        self.starts.append(at_s)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)

    def ended(self, status: str) -> None:
        self.in_flight -= 1
        self.statuses[status] += 1

    def seen(self) -> Mapping[str, object]:
        gaps = sorted(after - before for before, after in pairwise(self.starts))
        return {
            "calls": len(self.starts),
            "statuses": dict(self.statuses),
            "in_flight": self.in_flight,
            "most_in_flight": self.most_in_flight,
            "least_gap_ms": round(gaps[0] * 1_000, 1) if gaps else None,
            "median_gap_ms": round(gaps[len(gaps) // 2] * 1_000, 1) if gaps else None,
            "most_within_s": {str(window): most_within(self.starts, window) for window in WINDOWS_S},
            "seconds": round(self.starts[-1] - self.starts[0], 3) if self.starts else 0,
        }


class PortalStats:
    """Statistics of all taxpayers, including repeated requests and injected faults."""

    def __init__(self) -> None:
        self._calls: defaultdict[str, defaultdict[str, CallStats]] = defaultdict(
            lambda: defaultdict(CallStats)
        )
        self._asked: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._faults: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def started(self, mst: str, kind: str, at_s: float) -> None:
        for name in (kind, *GROUPS.get(kind, ("all",))):
            self._calls[mst][name].started(at_s)

    def ended(self, mst: str, kind: str, status: str) -> None:
        for name in (kind, *GROUPS.get(kind, ("all",))):
            self._calls[mst][name].ended(status)

    def asked(self, mst: str, what: str) -> None:
        """Count a request.

        `what` identifies its meaning (`xml 9950…-1-C26TSM-7`), so that repetitions are detected.
        """
        self._asked[mst][what] += 1

    def hit(self, mst: str, fault: str) -> None:
        self._faults[mst][fault] += 1

    def seen(self, mst: str | None) -> Mapping[str, object]:
        """The statistics of one taxpayer, or of all, as JSON."""
        names = [mst] if mst else sorted(self._calls)
        return {name: self._of(name) for name in names if name in self._calls}

    def _of(self, mst: str) -> Mapping[str, object]:
        asked = self._asked[mst]
        return {
            "lanes": {name: stats.seen() for name, stats in self._calls[mst].items()},
            "asked": len(asked),
            "repeated": sum(asked.values()) - len(asked),
            "most_repeated": [name for name, count in asked.most_common(5) if count > 1],
            "faults": dict(self._faults[mst]),
        }


def most_within(starts: Sequence[float], window_s: float) -> int:
    """The largest number of starts within any window of this length."""
    most, first = 0, 0
    for last, at in enumerate(starts):
        while starts[first] <= at - window_s:
            first += 1
        most = max(most, last - first + 1)
    return most
