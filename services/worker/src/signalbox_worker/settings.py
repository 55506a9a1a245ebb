"""The worker's settings: environment variables, read once in `__main__`."""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from signalbox_core.patterns import whole
from signalbox_core.secret import Secret

PREFIX: Final = "SIGNALBOX_WORKER"


class Settings(Struct, frozen=True, kw_only=True):
    """Read from `SIGNALBOX_WORKER_<FIELD>`; backends from the variables that their own clients read.

    Attributes:
        payload_keys_file: SIGNALBOX_PAYLOAD_KEYS_FILE; the same keys as the gateway's.
        receiver_url: where events are POSTed, `https://hooks.example.com/v1/events`.
        callback_origin: the gateway's public origin, where callback URLs lead.
        keyid: the id of the signing key at the receiver; `private_key_file` holds its private half.
        objects_url: where artifacts are stored: `file:///dir`, `gs://bucket` or `memory://`.
        pipelines: only these (comma separated); default: all installed.
        task_queues: only these task queues (comma separated); default: all of the selected pipelines.
        fetch_allow: `ip:port` pairs that pipelines may fetch from although the addresses are not public.
        redis_url: REDIS_URL; without it there is no shared rate limiting, hints are not published and burst
            workers cannot be retired.
        model_url, model_name, model_api_key: the language model of pipelines that use one (any
            OpenAI-compatible endpoint).
        model_read_timeout_s: longest silence of the model's stream.
        model_omit: request parameters that its endpoint does not accept, comma-separated.
        model_input_price, model_output_price: per million tokens in `model_currency`; without them a run's
            cost is unknown.
        font_dirs: folders with Noto fonts for ads, separated by colons.
        portal_url and other portal_…: the e-invoice portal of invoice_import, and the limits for calling it
            (docs/invoice_import.md).
        secrets_dir: where secrets named in inputs are stored, `<tenant>/<name>`.
        heartbeat_s: interval of the worker's heartbeats to Temporal.
        graceful_shutdown_s: how long running activities may take to finish after SIGTERM.
        deployment_name, build_id: Temporal's worker versioning (docs/worker-builds.md). The first build of a
            deployment becomes its current one.
        burst_launch: the launch of this worker; makes it a burst worker, which runs activities only and exits
            when it is no longer needed.
        burst_index: its index within the launch; default: CLOUD_RUN_TASK_INDEX or JOB_COMPLETION_INDEX.
        burst_idle_s, burst_max_lifetime_s: it exits after this long without an activity, or at this age;
            later while there is a backlog.
        burst_drain_s: how long its activities may take to finish once it exits; the rest is cancelled and
            retried elsewhere.
        accept_plain_messages: runs accept unencrypted signals and updates although the worker has payload
            keys; only for the rollout of keys.
        burst_workflows: a burst worker runs workflows too.
        cpu_processes: processes for CPU-heavy steps on tenants' input; default: the CPUs, at most 2.
        cpu_memory_mb: MB that one of them may allocate beyond what it needs to start.
        max_memory: share of the memory limit above which no further activity starts.
        port: of /healthz, /readyz and /metrics; 0 picks a free port.
    """

    temporal_address: str | None = None
    temporal_namespace: str | None = None
    payload_keys_file: str | None = None
    receiver_url: Annotated[str, Meta(pattern=whole(r"https?://[^/\s]+/\S*"))]
    callback_origin: Annotated[str, Meta(pattern=whole(r"https?://[^/\s]+"))] | None = None
    keyid: str
    private_key_file: str
    objects_url: str
    pipelines: frozenset[str] = frozenset()
    task_queues: frozenset[str] = frozenset()
    fetch_allow: frozenset[str] = frozenset()
    redis_url: Secret | None = None
    model_url: str | None = None
    model_name: str | None = None
    model_api_key: Secret | None = None
    model_read_timeout_s: Annotated[float, Meta(gt=0, le=3_600)] = 30.0
    model_omit: str = ""
    model_input_price: Annotated[float, Meta(ge=0)] | None = None
    model_output_price: Annotated[float, Meta(ge=0)] | None = None
    model_currency: Annotated[str, Meta(pattern=whole("[A-Z]{3}"))] = "USD"
    font_dirs: str | None = None
    portal_url: str | None = None
    portal_page_size: Annotated[int, Meta(ge=1, le=500)] = 50
    portal_query_spacing_ms: Annotated[int, Meta(ge=0, le=60_000)] = 800
    portal_query_in_flight: Annotated[int, Meta(ge=1, le=50)] = 2
    portal_query_timeout_s: Annotated[float, Meta(gt=0, le=300)] = 12.0
    portal_export_spacing_ms: Annotated[int, Meta(ge=0, le=60_000)] = 300
    portal_export_in_flight: Annotated[int, Meta(ge=1, le=50)] = 6
    portal_export_timeout_s: Annotated[float, Meta(gt=0, le=300)] = 10.0
    portal_cash_register_export: Literal["GET", "POST"] = "GET"
    portal_captcha_solver: str | None = None
    secrets_dir: str | None = None
    accept_plain_messages: bool = False
    max_activities: Annotated[int, Meta(ge=1, le=10_000)] = 200
    max_cached_workflows: Annotated[int, Meta(ge=1, le=100_000)] = 1_000
    cpu_processes: Annotated[int, Meta(ge=1, le=64)] | None = None
    cpu_memory_mb: Annotated[int, Meta(ge=64, le=65_536)] = 256
    heartbeat_s: Annotated[float, Meta(ge=1, le=60)] = 1.0
    deployment_name: Annotated[str, Meta(max_length=200, pattern=whole(r"[^.:\s]+"))] | None = None
    build_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    burst_launch: Annotated[str, Meta(pattern=whole(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"))] | None = None
    burst_index: Annotated[int, Meta(ge=0, le=10_000)] | None = None
    burst_idle_s: Annotated[float, Meta(ge=1, le=3_600)] = 15.0
    burst_max_lifetime_s: Annotated[float, Meta(ge=1, le=604_800)] = 3_600.0
    burst_drain_s: Annotated[float, Meta(ge=0, le=86_400)] = 600.0
    burst_workflows: bool = False
    max_memory: Annotated[float, Meta(gt=0, le=1)] | None = None
    graceful_shutdown_s: Annotated[float, Meta(ge=0, le=3_600)] = 20.0
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8082
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
