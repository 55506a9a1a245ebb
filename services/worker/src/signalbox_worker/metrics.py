"""The worker's Prometheus counters."""

from collections.abc import Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter

_HELP: Final[Mapping[str, str]] = {
    "events_delivered": "Events that the receiver accepted",
    "events_refused": "Events that the receiver refused permanently; each is logged",
    "delivery_failures": "Requests to the receiver that failed or are to be retried later",
    "progress_sent": "Progress events sent",
    "progress_dropped": "Progress events dropped: superseded by newer ones, or the receiver was unavailable",
}


class WorkerMetrics:
    """Counters by name, in their own registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._counters = {
            name: Counter(f"signalbox_worker_{name}", help_text, registry=self.registry)
            for name, help_text in _HELP.items()
        }

    def add(self, name: str, count: int = 1) -> None:
        self._counters[name].inc(count)

    def __getitem__(self, name: str) -> int:
        return int(self.registry.get_sample_value(f"signalbox_worker_{name}_total") or 0)
