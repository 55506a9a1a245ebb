"""Counters of this process, in the Prometheus text format."""

from collections import Counter
from typing import Final

_HELP: Final = {
    "events_delivered": "Events that the receiver accepted.",
    "events_refused": "Events that the receiver refused for good; each is logged.",
    "delivery_failures": "Requests to the receiver that failed or were told to come later.",
    "progress_sent": "Progress events sent.",
    "progress_dropped": "Progress events dropped: newer ones came, or the receiver was away.",
}


class Counters:
    """Monotone counts by name."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter(dict.fromkeys(_HELP, 0))

    def add(self, name: str, count: int = 1) -> None:
        self._counts[name] += count

    def __getitem__(self, name: str) -> int:
        return self._counts[name]

    def render(self) -> str:
        lines: list[str] = []
        for name, value in sorted(self._counts.items()):
            full = f"signalbox_worker_{name}_total"
            lines += [f"# HELP {full} {_HELP.get(name, name)}", f"# TYPE {full} counter", f"{full} {value}"]
        return "\n".join(lines) + "\n"
