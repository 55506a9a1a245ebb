"""The gateway's Prometheus metrics."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final, Literal, cast

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from signalbox_core.events.snapshot import ENDED, RunStatus
from signalbox_core.http.process_metrics import register_process_metrics
from signalbox_core.traces import TraceContext, current_context, exemplar_labels

_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_LAG_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
_START: Final = ("POST", "/v1/runs")
RepairKind = Literal["ended", "gap", "restored", "reset"]


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


class InboundMetrics:
    """Metrics of the subscriptions and webhooks that are external events."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._messages = Counter(
            "signalbox_gateway_inbound_messages",
            "Messages of event subscriptions, by result",
            ["subscription", "result"],
            registry=registry,
        )
        self._webhooks = Counter(
            "signalbox_gateway_webhooks",
            "Requests to webhooks, by result",
            ["webhook", "result"],
            registry=registry,
        )

    def count(self, subscription: str, result: Literal["delivered", "refused", "retried"]) -> None:
        """Count the outcome of one delivery of a message."""
        self._messages.labels(subscription, result).inc()

    def count_webhook(
        self, webhook: str, result: Literal["delivered", "ignored", "refused", "retried", "unverified"]
    ) -> None:
        """Count what became of a request to a webhook."""
        self._webhooks.labels(webhook, result).inc()


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


class StreamMetrics:
    """Metrics of the open streams and of what reaches them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._listeners = Gauge("signalbox_gateway_listeners", "Open streams", registry=registry)
        self._watched = Gauge(
            "signalbox_gateway_watched_runs", "Runs and tenants whose channels are open", registry=registry
        )
        self._deferred = Counter(
            "signalbox_gateway_streams_deferred",
            "Streams that ended at once with a retry delay",
            ["reason"],
            registry=registry,
        )
        self._delay = Histogram(
            "signalbox_gateway_event_delay_seconds",
            "From the time of an event to its hand-over to the open streams",
            ["kind"],
            registry=registry,
            buckets=_LAG_BUCKETS,
        )
        self._projection = Histogram(
            "signalbox_gateway_projection_seconds",
            "From the publication of an event to its append to the run's stream by the projector",
            registry=registry,
            buckets=_LAG_BUCKETS,
        )

    def observe(self, *, listeners: Callable[[], int], watched_runs: Callable[[], int]) -> None:
        """Export the number of open streams and of open channels, read at each scrape."""
        self._listeners.set_function(listeners)
        self._watched.set_function(watched_runs)

    def record_deferred(self, reason: str) -> None:
        """Count a stream that is to be opened again later."""
        self._deferred.labels(reason).inc()

    def record_delay(self, kind: Literal["milestone", "progress"], event_time: datetime) -> None:
        """Record how long ago an event that is being sent to the streams happened."""
        self._delay.labels(kind).observe(_seconds_since(event_time))

    def record_projected(self, published_at: datetime, trace: TraceContext | None) -> None:
        """Record an event that the projector appends now."""
        self._projection.observe(_seconds_since(published_at), exemplar_labels(trace))


class ReconcilerMetrics:
    """Metrics of the reconciler, and those of the whole deployment, which only the leading gateway has."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._leads = Gauge("signalbox_gateway_leads", "1 while this gateway reconciles", registry=registry)
        self._rounds = Counter(
            "signalbox_gateway_reconciler_rounds", "Rounds by outcome", ["outcome"], registry=registry
        )
        self._gaps = Gauge("signalbox_gateway_stream_gaps", "Streams with a gap", registry=registry)
        self._repairs = Counter(
            "signalbox_gateway_stream_repairs", "Streams repaired from Temporal", ["kind"], registry=registry
        )
        self._runs = Gauge(
            "signalbox_gateway_runs",
            "Open runs, and runs that ended within the last hour",
            ["pipeline", "status"],
            registry=registry,
        )
        self._approvals = Gauge(
            "signalbox_gateway_approvals_pending", "Pending approvals of all tenants", registry=registry
        )
        self._oldest_approval = Gauge(
            "signalbox_gateway_oldest_approval_seconds", "Age of the oldest one", registry=registry
        )
        self._held = Gauge(
            "signalbox_gateway_runs_held",
            "Open runs that are blocked or queued",
            ["pipeline", "code"],
            registry=registry,
        )

    def set_leading(self, leads: bool) -> None:
        """Record whether this gateway leads; without leadership it has no numbers of the deployment."""
        self._leads.set(int(leads))
        if not leads:
            self._runs.clear()
            self.set_approvals(0, 0)
            self.set_gaps(0)

    def count_round(self, outcome: Literal["completed", "failed"]) -> None:
        self._rounds.labels(outcome).inc()

    def set_gaps(self, gaps: int) -> None:
        self._gaps.set(gaps)

    def count_repair(self, kind: RepairKind) -> None:
        self._repairs.labels(kind).inc()

    def set_runs(self, pipeline: str, counts: Mapping[RunStatus, int]) -> None:
        """Set the numbers of one pipeline, also those that are 0."""
        for status in ("running", *sorted(ENDED)):
            self._runs.labels(pipeline, status).set(counts.get(cast("RunStatus", status), 0))

    def set_approvals(self, pending: int, oldest_s: float) -> None:
        self._approvals.set(pending)
        self._oldest_approval.set(oldest_s if pending else 0)

    def record_held(self, counts: Mapping[tuple[str, str], int]) -> None:
        """Set the number of blocked and queued runs by pipeline and code; other series disappear."""
        self._held.clear()
        for labels, number in counts.items():
            self._held.labels(*labels).set(number)


class Metrics:
    """Metrics in a registry of their own, so that two apps in one process do not clash."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        register_process_metrics(self.registry, "gateway")
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
        self._start_seconds = Histogram(
            "signalbox_gateway_start_seconds",
            "Response time of accepted starts",
            registry=self.registry,
            buckets=_BUCKETS,
        )
        self.ledger = LedgerMetrics(self.registry)
        self.inbound = InboundMetrics(self.registry)
        self.notifications = NotificationMetrics(self.registry)
        self.streams = StreamMetrics(self.registry)
        self.reconciler = ReconcilerMetrics(self.registry)

    def record_request(self, method: str, route: str, status: int, seconds: float) -> None:
        self.requests.labels(method, route, str(status)).inc()
        exemplar = exemplar_labels(current_context())
        # A stream lasts as long as its listener stays, which is not a response time.
        if "stream" not in route:
            self.seconds.labels(route).observe(seconds, exemplar)
        if (method, route) == _START and status < 300:
            self._start_seconds.observe(seconds, exemplar)


def _seconds_since(time: datetime) -> float:
    """Not negative: the clocks of two machines differ a little."""
    return max(0.0, (datetime.now(UTC) - time).total_seconds())
