"""The receiver's Prometheus metrics. No label has a value that an unauthenticated sender can choose."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from signalbox_core.http.process_metrics import register_process_metrics

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class ReceiverMetrics:
    """The metrics. `keyid` is that of a known key, or empty; `code` is a problem's stable code."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        register_process_metrics(self.registry, "webhook-receiver")
        self.deliveries = self._counter(
            "deliveries", "Deliveries by outcome: `accepted`, `duplicate` or a problem's code", "code"
        )
        self.verified = self._counter("verified", "Deliveries with a valid signature and digest", "keyid")
        self.refused = self._counter(
            "refused", "Deliveries refused; `reason` is more detailed than the response", "reason", "keyid"
        )
        self.duplicates = self._counter("duplicates", "Events that had been accepted before", "keyid")
        self.events = self._counter("events", "Events accepted, by kind", "kind")
        self.claim_failures = self._counter("claim_failures", "Failed calls of the claims store", "step")
        self.left_to_repair = self._counter(
            "left_to_repair",
            "Published events whose later step failed: `stream` (the projector repairs it), "
            "`finish` or `release`",
            "step",
        )
        self.key_failures = self._counter("key_failures", "Failed loads of the key file or of a key address")
        self.clock_jumps = self._counter(
            "clock_jumps", "Jumps of the host's clock beyond the skew allowed for signatures"
        )
        self.in_flight = Gauge(
            "signalbox_receiver_in_flight", "Deliveries being handled", registry=self.registry
        )
        self.seconds = self._histogram("seconds", "From request to response")
        self.publish_seconds = self._histogram("publish_seconds", "From the claim to Pub/Sub's last ack")

    def count_unmarked(self, events: int) -> None:
        """Count events that were published and could not be marked as accepted."""
        self.claim_failures.labels("finish").inc()
        self.left_to_repair.labels("finish").inc(events)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"signalbox_receiver_{name}", meaning, labels, registry=self.registry)

    def _histogram(self, name: str, meaning: str) -> Histogram:
        return Histogram(f"signalbox_receiver_{name}", meaning, registry=self.registry, buckets=_SECONDS)
