"""The autoscaler's settings: environment variables, read once in `__main__`."""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from signalbox_core.secret import Secret

PREFIX: Final = "SIGNALBOX_AUTOSCALER"


class Settings(Struct, frozen=True, kw_only=True):
    """`SIGNALBOX_AUTOSCALER_<FIELD>`; backends under the names that their own clients read.

    Attributes:
        policies: a TOML file with a policy per queue, read again when it changes; without it queues are watched and none is sized.
        task_queues: watched from the start (comma separated); queues of heartbeating workers are found by themselves.
        observe_every_s: seconds between two looks.
        lease_s: a leader that falls silent for so long is replaced.
        provider: who runs burst workers; with `none` every policy is a dry run.
        local_folder: local: where launches are written down, shared by the autoscalers of a machine.
        local_command: local: what a burst worker is (words, no shell); this Python's `-m signalbox_worker` unless given. It gets this
            process's environment, so the worker's own settings are set here too.
        cloud_run_job: cloud_run: `projects/P/locations/L/jobs/J`; cloud_run_container: of its template, when there are several.
        cloud_run_endpoint: cloud_run: `host:port` of a local server without TLS, for tests and demonstrations.
        kubernetes_template: kubernetes: a PodTemplate of kubernetes_namespace, where the Jobs are created.
        kubernetes_api, kubernetes_token_file, kubernetes_ca_file: kubernetes: those of the pod's service account unless given.
        objects_url: where the decision log is kept for good: `file:///dir` or `gs://bucket`; only Redis unless given.
        port: of /v1/decisions, /healthz, /readyz and /metrics; 0 picks a free one.
    """

    temporal_address: str | None = None
    temporal_namespace: str | None = None
    redis_url: Secret
    policies: str | None = None
    task_queues: frozenset[str] = frozenset()
    observe_every_s: Annotated[float, Meta(ge=0.1, le=3_600)] = 5.0
    lease_s: Annotated[float, Meta(ge=1, le=300)] = 15.0
    provider: Literal["none", "local", "cloud_run", "kubernetes"] = "none"
    local_folder: str | None = None
    local_command: str | None = None
    cloud_run_job: str | None = None
    cloud_run_container: str = ""
    cloud_run_endpoint: str | None = None
    kubernetes_template: str | None = None
    kubernetes_namespace: str = "signalbox"
    kubernetes_api: str | None = None
    kubernetes_token_file: str | None = None
    kubernetes_ca_file: str | None = None
    objects_url: str | None = None
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8083
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
