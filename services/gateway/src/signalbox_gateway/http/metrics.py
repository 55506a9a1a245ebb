"""The gateway's Prometheus metrics."""

from collections.abc import Callable, Mapping
from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class LedgerMetrics:
    """Metrics of the ledger's writer; all but its leader report zeros."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._lag = Gauge(
            "signalbox_gateway_ledger_lag_seconds",
            "Age of the oldest event that waits for the ledger",
            registry=registry,
        )
        self.entries = Counter(
            "signalbox_gateway_ledger_entries", "Entries appended to the ledger", registry=registry
        )
        self.failures = Counter(
            "signalbox_gateway_ledger_failures",
            "Batches that could not be appended to the ledger",
            registry=registry,
        )

    def observe_lag(self, lag_s: Callable[[], float]) -> None:
        """Export the age of the oldest event that waits for the ledger, read at each scrape."""
        self._lag.set_function(lag_s)


class NotificationMetrics:
    """Metrics of the notifier."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._deliveries = Counter(
            "signalbox_gateway_notifications",
            "Attempts to deliver a notification, by result",
            ["kind", "result"],
            registry=registry,
        )

    def count(self, kind: str, result: Literal["sent", "retried", "failed", "obsolete"]) -> None:
        """Count an attempt to deliver, or a notification that was obsolete before it was attempted."""
        self._deliveries.labels(kind, result).inc()


class Metrics:
    """Metrics in a registry of their own, so that two apps in one process do not clash."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "signalbox_gateway_requests",
            "Completed requests",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "signalbox_gateway_request_seconds",
            "Response time",
            ["route"],
            registry=self.registry,
            buckets=_BUCKETS,
        )
        self.ledger = LedgerMetrics(self.registry)
        self.notifications = NotificationMetrics(self.registry)
        self.deferred = Counter(
            "signalbox_gateway_streams_deferred",
            "Streams that ended at once with a retry delay",
            ["reason"],
            registry=self.registry,
        )
        self.held = Gauge(
            "signalbox_gateway_runs_held",
            "Open runs that are blocked or queued",
            ["pipeline", "code"],
            registry=self.registry,
        )

    def record_deferred(self, reason: str) -> None:
        """Count a stream that is to be opened again later."""
        self.deferred.labels(reason).inc()

    def observe_listeners(self, count: Callable[[], int]) -> None:
        """Export the number of open streams, read at each scrape."""
        Gauge("signalbox_gateway_listeners", "Open streams", registry=self.registry).set_function(count)

    def record_held(self, counts: Mapping[tuple[str, str], int]) -> None:
        """Set the number of blocked and queued runs by pipeline and code; other series disappear."""
        self.held.clear()
        for labels, number in counts.items():
            self.held.labels(*labels).set(number)

    def record_request(self, method: str, route: str, status: int, seconds: float) -> None:
        self.requests.labels(method, route, str(status)).inc()
        # A stream lasts as long as its listener stays, which is not a response time.
        if "stream" not in route:
            self.seconds.labels(route).observe(seconds)
