"""The gateway's settings: environment variables, read once by `__main__`."""

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta, Struct

from signalbox_core.patterns import whole

PREFIX = "SIGNALBOX_GATEWAY"
Origin = Annotated[str, Meta(pattern=whole(r"https?://[^/\s*?#@]+"))]

QueueTenant = Annotated[str, Meta(pattern=whole(r"[^=,\s]+=[^=,\s]+"))]


class Settings(Struct, frozen=True, kw_only=True):
    """`SIGNALBOX_GATEWAY_<FIELD>`; backends are configured by the variables that their own clients read.

    Attributes:
        payload_keys_file: SIGNALBOX_PAYLOAD_KEYS_FILE; payloads are encrypted with these keys, and inputs may
            contain secrets.
        api_keys_file: JSON `{"keys": [{id, sha256, tenant, roles, name, expires_at?}]}`; hot-reloaded.
        issuers_file: the OpenID issuers whose tokens are accepted; hot-reloaded.
        issuers_ca_file: the CA certificates of the issuers; the system's if unset.
        objects_url: the object store of artifacts: `file:///dir`, `gs://bucket` or `memory://`.
        ledger_key_file: the private key that signs the checkpoints of the ledger; unset, no ledger is kept.
        ledger_witness_key_file: a second key, which cosigns every checkpoint.
        notifications_file: whom notifications of approvals are sent to; hot-reloaded. Unset, none are sent.
        event_subscriptions_file: the Pub/Sub subscriptions whose messages are external events.
        webhooks_file: the webhooks that are external events; hot-reloaded.
        link_keys_file: the keys that sign decision links; hot-reloaded. Unset, no links are sent.
        passkey_rp_id: the domain that passkeys belong to (the relying party of WebAuthn), for example
            `example.com`. Unset, passkeys are neither registered nor accepted.
        passkey_origins: the origins of the pages on which passkeys are used; comma-separated, each at the
            domain or below it.
        public_origin: the origin that browsers use, for example `https://signalbox.example.com`; the CSRF
            check compares against it.
        temporal_ui_url: the address of Temporal's UI, shown to signed-in callers.
        trace_url: the address of a trace in a tracing backend, for example
            `https://tempo.example.com/trace/{trace_id}`; the console links to it.
        requests_per_s: the rate limit of one principal, across all gateways.
        failures_per_s: the rate limit of failed authentications (401) from one address.
        cors_origins: the origins whose pages may call the API without cookies; comma-separated, exactly as
            browsers send them.
        metrics_port: serves /metrics and the probes; `port` then has no /metrics. 0 serves them on `port`.
        workflow_queues: task queues of plain workflows, which the worker plugin shows, each with its tenant:
            `orders=acme`; comma-separated.
        max_listeners: open streams of this process. max_listeners_per_principal, max_listeners_per_tenant (by
            default half of max_listeners) and max_listeners_per_address limit each principal, tenant and
            address. Beyond a limit, a stream ends at once with a retry delay.
        max_schedules: schedules of one tenant.
        schedule_min_interval_s: the least time between two starts of a schedule.
        drain_s: how long open streams may take to end during a graceful shutdown.
    """

    temporal_address: str | None = None
    temporal_namespace: str | None = None
    payload_keys_file: str | None = None
    redis_url: str
    google_cloud_project: str
    pubsub_emulator_host: str | None = None
    api_keys_file: str
    issuers_file: str | None = None
    issuers_ca_file: str | None = None
    objects_url: str
    ledger_key_file: str | None = None
    ledger_witness_key_file: str | None = None
    notifications_file: str | None = None
    event_subscriptions_file: str | None = None
    webhooks_file: str | None = None
    link_keys_file: str | None = None
    passkey_rp_id: Annotated[str, Meta(pattern=whole(r"[a-z0-9-]+(\.[a-z0-9-]+)*"))] | None = None
    passkey_origins: tuple[Origin, ...] = ()
    public_origin: Annotated[str, Meta(pattern=whole(r"https?://[^/\s]+"))]
    temporal_ui_url: str | None = None
    trace_url: Annotated[str, Meta(pattern=whole(r"https?://[^\s{}]+\{trace_id\}[^\s{}]*"))] | None = None
    requests_per_s: Annotated[int, Meta(ge=1, le=1_000_000)] = 200
    failures_per_s: Annotated[int, Meta(ge=1, le=1_000_000)] = 10
    cors_origins: tuple[Origin, ...] = ()
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8080
    metrics_port: Annotated[int, Meta(ge=0, le=65_535)] = 0
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    workflow_queues: tuple[QueueTenant, ...] = ()
    max_listeners: Annotated[int, Meta(ge=1)] = 5_000
    max_listeners_per_principal: Annotated[int, Meta(ge=1)] = 1_000
    max_listeners_per_tenant: Annotated[int, Meta(ge=1)] | None = None
    max_listeners_per_address: Annotated[int, Meta(ge=1)] = 1_000
    max_schedules: Annotated[int, Meta(ge=1, le=1_000)] = 100
    schedule_min_interval_s: Annotated[int, Meta(ge=1, le=86_400)] = 60
    drain_s: Annotated[float, Meta(ge=0, le=60)] = 5.0

    @property
    def tenants_by_queue(self) -> Mapping[str, str]:
        """The tenants of the task queues of plain workflows."""
        return {queue: tenant for queue, _, tenant in (item.partition("=") for item in self.workflow_queues)}
