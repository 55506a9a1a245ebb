"""The worker's settings: environment variables, read once in `__main__`."""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from signalbox_core.settings import Secret

PREFIX: Final = "SIGNALBOX_WORKER"


class Settings(Struct, frozen=True, kw_only=True):
    """`SIGNALBOX_WORKER_<FIELD>`; backends under the names that their own clients read.

    Attributes:
        receiver_url: where events are POSTed, `https://hooks.example.com/v1/events`.
        keyid: which key the receiver knows us by; `private_key_file` holds its private half.
        objects_url: where artifacts live: `file:///dir`, `gs://bucket` or `memory://`.
        pipelines: only these (comma separated); every installed one unless given.
        fetch_allow: `ip:port` pairs that pipelines may fetch from although they are not public.
        redis_url: REDIS_URL; without it pipelines do not pace themselves together, publish no hints, and no burst worker can be retired.
        model_url, model_name, model_api_key: read by pipelines that use a language model (any OpenAI-compatible endpoint).
        model_read_timeout_s: the longest silence of its stream.
        model_input_price, model_output_price: per million tokens in `model_currency`; without them a run's cost is unknown.
        graceful_shutdown_s: how long activities may take to end after SIGTERM.
        port: of /healthz, /readyz and /metrics; 0 picks a free one.
    """

    temporal_address: str
    temporal_namespace: str = "default"
    receiver_url: Annotated[str, Meta(pattern=r"^https?://[^/\s]+/\S*$")]
    keyid: str
    private_key_file: str
    objects_url: str
    pipelines: frozenset[str] = frozenset()
    fetch_allow: frozenset[str] = frozenset()
    redis_url: Secret | None = None
    model_url: str | None = None
    model_name: str | None = None
    model_api_key: Secret | None = None
    model_read_timeout_s: Annotated[float, Meta(gt=0, le=3_600)] = 30.0
    model_input_price: Annotated[float, Meta(ge=0)] | None = None
    model_output_price: Annotated[float, Meta(ge=0)] | None = None
    model_currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")] = "USD"
    max_activities: Annotated[int, Meta(ge=1, le=10_000)] = 200
    max_cached_workflows: Annotated[int, Meta(ge=1, le=100_000)] = 1_000
    graceful_shutdown_s: Annotated[float, Meta(ge=0, le=3_600)] = 20.0
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8082
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
