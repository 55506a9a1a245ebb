"""The worker's Prometheus counters."""

from collections.abc import Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

from signalbox_core.http.process_metrics import register_process_metrics
from signalbox_core.process.cpu_pool import CpuPool

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
        register_process_metrics(self.registry, "worker")
        self._counters = {
            name: Counter(f"signalbox_worker_{name}", help_text, registry=self.registry)
            for name, help_text in _HELP.items()
        }
        self._cpu_busy = Gauge(
            "signalbox_worker_cpu_busy", "CPU-heavy calls in progress", registry=self.registry
        )
        self._cpu_waiting = Gauge(
            "signalbox_worker_cpu_waiting", "CPU-heavy calls that wait for a process", registry=self.registry
        )
        self._cpu_calls = Counter(
            "signalbox_worker_cpu_calls", "CPU-heavy calls by outcome", ["outcome"], registry=self.registry
        )

    def add(self, name: str, count: int = 1) -> None:
        self._counters[name].inc(count)

    def observe_cpu(self, pool: CpuPool) -> None:
        """Report a pool's load whenever the metrics are read, and count its calls."""
        self._cpu_busy.set_function(lambda: pool.busy)
        self._cpu_waiting.set_function(lambda: pool.waiting)
        pool.on_outcome = lambda outcome: self._cpu_calls.labels(outcome).inc()

    def __getitem__(self, name: str) -> int:
        return int(self.registry.get_sample_value(f"signalbox_worker_{name}_total") or 0)
