"""The receiver's settings: `SIGNALBOX_RECEIVER_<FIELD>`, and the backends' own names."""

from typing import Annotated

from msgspec import Meta, Struct
from signalbox_core.settings import Secret

PREFIX = "SIGNALBOX_RECEIVER"

Positive = Annotated[float, Meta(gt=0)]
LogLevel = Annotated[str, Meta(pattern="^(?i:debug|info|warning|error)$")]


class Settings(Struct, frozen=True, kw_only=True):
    """One receiver process.

    Attributes:
        public_origin: scheme and authority that senders sign, as in https://events.example.com; never taken from a request.
        keys: path of the JSON key file; read again when it changes.
        pubsub_emulator_host: `host:port` of a Pub/Sub server without TLS; unset is Google Cloud.
        rate_per_s: deliveries a second that one key may send for long; twice as many at once.
    """

    redis_url: Secret
    public_origin: str
    keys: str
    google_cloud_project: str = "signalbox"
    pubsub_emulator_host: str | None = None
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8081
    log_level: LogLevel = "INFO"
    keys_poll_s: Positive = 5.0
    publish_timeout_s: Positive = 8.0
    body_timeout_s: Positive = 10.0
    drain_timeout_s: Positive = 20.0
    rate_per_s: Positive = 1000.0
