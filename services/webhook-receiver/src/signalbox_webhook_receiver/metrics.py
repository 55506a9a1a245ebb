"""The receiver's Prometheus metrics, in a registry of its own."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Meters:
    """What is counted; `code` is the problem's stable code, or `accepted` or `duplicate`."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.deliveries = Counter("signalbox_receiver_deliveries", "Deliveries by outcome", ["code"], registry=self.registry)
        self.unproven = Counter(
            "signalbox_receiver_unproven", "Why a signature was not accepted; senders are not told", ["reason"], registry=self.registry
        )
        self.events = Counter("signalbox_receiver_events", "Events accepted, by kind", ["kind"], registry=self.registry)
        self.in_flight = Gauge("signalbox_receiver_in_flight", "Deliveries being handled", registry=self.registry)
        self.seconds = Histogram(
            "signalbox_receiver_seconds", "From the whole body to the answer", registry=self.registry, buckets=_SECONDS
        )
        self.repairs = Counter(
            "signalbox_receiver_left_to_repair",
            "Published events whose later step failed: `stream` (the projector repairs), `finish` or `release` (the claim runs out)",
            ["step"],
            registry=self.registry,
        )
        self.bad_reloads = Counter("signalbox_receiver_bad_key_reloads", "Key files not taken over", registry=self.registry)

    def text(self) -> bytes:
        return generate_latest(self.registry)
