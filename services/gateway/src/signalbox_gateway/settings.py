"""The gateway's settings: environment variables, read once in `__main__`."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from signalbox_core.patterns import whole

PREFIX = "SIGNALBOX_GATEWAY"
Origin = Annotated[str, Meta(pattern=whole(r"https?://[^/\s*?#@]+"))]


class Settings(Struct, frozen=True, kw_only=True):
    """`SIGNALBOX_GATEWAY_<FIELD>`; backends under the names that their own clients read.

    Attributes:
        payload_keys_file: SIGNALBOX_PAYLOAD_KEYS_FILE; with it payloads are sealed, and inputs may hold secrets.
        api_keys_file: JSON `{"keys": [{id, sha256, tenant, roles, name, expires_at?}]}`; hot-reloaded.
        issuers_file: the OpenID issuers whose tokens are taken; hot-reloaded. issuers_ca_file: who signs their certificates.
        objects_url: where artifacts live: `file:///dir`, `gs://bucket` or `memory://`.
        public_origin: what browsers see, for example `https://signalbox.example.com`; cookies and CSRF checks rest on it.
        temporal_ui_url: told to signed-in callers, who may follow it.
        max_listeners: open streams of this process, of one principal, from one address; one more is told to come back.
        cors_origins: whose pages may call from another origin, comma separated, exactly as browsers name them; without cookies.
        requests_per_s: of one principal, over all gateways. failures_per_s: refused proofs (401) of one address.
        drain_s: how long open streams may take to end when the process is told to stop.
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
    public_origin: Annotated[str, Meta(pattern=whole(r"https?://[^/\s]+"))]
    temporal_ui_url: str | None = None
    requests_per_s: Annotated[int, Meta(ge=1, le=1_000_000)] = 200
    failures_per_s: Annotated[int, Meta(ge=1, le=1_000_000)] = 10
    cors_origins: tuple[Origin, ...] = ()
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8080
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    max_listeners: Annotated[int, Meta(ge=1)] = 5_000
    max_listeners_per_principal: Annotated[int, Meta(ge=1)] = 1_000
    max_listeners_per_address: Annotated[int, Meta(ge=1)] = 1_000
    drain_s: Annotated[float, Meta(ge=0, le=60)] = 5.0
