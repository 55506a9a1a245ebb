"""The receiver's settings: `SIGNALBOX_RECEIVER_<FIELD>`, and the backends' own names."""

from typing import Annotated

from msgspec import Meta, Struct

from signalbox_core.patterns import whole
from signalbox_core.secret import Secret
from signalbox_webhook_receiver.profile import MAX_BATCH_BYTES

PREFIX = "SIGNALBOX_RECEIVER"

Positive = Annotated[float, Meta(gt=0)]
Count = Annotated[int, Meta(ge=1)]
LogLevel = Annotated[str, Meta(pattern=whole("(?i:debug|info|warning|error)"))]


class Settings(Struct, frozen=True, kw_only=True):
    """One receiver process.

    Attributes:
        public_origin: scheme and authority that senders sign, as in https://events.example.com; never taken
            from a request.
        keys: path of the JSON key file, which is hot-reloaded; it may name https addresses of further keys.
        jwks_ca_file: certificate authorities (PEM) for those addresses; default: the system's.
        metrics_port: serves /metrics and the probes; `port` then has no /metrics. 0 serves them on `port`.
        pubsub_emulator_host: `host:port` of a Pub/Sub server without TLS; default: Google Cloud.
        request_timeout_s: from the first byte of the headers to the response; header_timeout_s bounds the
            headers.
        claim_s: how long an event stays claimed after its receiver crashed; more than publish_timeout_s.
        drain_notice_s: how long new deliveries get 503 after SIGTERM before the port closes, so that senders
            and load balancers use another replica.
        max_in_flight: concurrent deliveries; further ones get 503.
        max_bytes_in_flight: of their bodies. A delivery needs about six times the memory of its body.
        rate_per_s: sustained deliveries per second and key, over all replicas; the burst is twice as high.
    """

    redis_url: Secret
    public_origin: str
    keys: str
    google_cloud_project: str = "signalbox"
    pubsub_emulator_host: str | None = None
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8081
    metrics_port: Annotated[int, Meta(ge=0, le=65_535)] = 0
    log_level: LogLevel = "INFO"
    keys_poll_s: Positive = 5.0
    jwks_ca_file: str | None = None
    header_timeout_s: Positive = 5.0
    body_timeout_s: Positive = 10.0
    publish_timeout_s: Positive = 8.0
    request_timeout_s: Positive = 20.0
    claim_s: Count = 30
    drain_notice_s: Positive = 0.5
    drain_timeout_s: Positive = 25.0
    max_in_flight: Count = 256
    max_bytes_in_flight: Annotated[int, Meta(ge=MAX_BATCH_BYTES)] = 64 * 1024 * 1024
    rate_per_s: Count = 1000
