"""The autoscaler's settings: environment variables, read once in `__main__`."""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from signalbox_core.secret import Secret

PREFIX: Final = "SIGNALBOX_AUTOSCALER"


class Settings(Struct, frozen=True, kw_only=True):
    """`SIGNALBOX_AUTOSCALER_<FIELD>`; backends under the names that their own clients read.

    Attributes:
        policies: a TOML file with a policy per queue, hot-reloaded; None: queues are observed and none is
            sized.
        task_queues: observed from the start (comma separated); queues with workers are discovered.
        observe_every_s: seconds between two ticks.
        lease_s: a leader that does not renew its lease for this long is replaced.
        provider: what runs burst workers; with `none` every policy is a dry run.
        local_folder: local: folder of launch records, shared by the autoscalers of a machine.
        local_command: local: command of a burst worker (split into words, no shell); default: this Python's
            `-m signalbox_worker`. Workers inherit this process's environment, so set their settings there
            too.
        cloud_run_job: cloud_run: `projects/P/locations/L/jobs/J`.
        cloud_run_container: cloud_run: name of the container, when the job has several.
        cloud_run_endpoint: cloud_run: `host:port` of a local server without TLS, for tests and
            demonstrations.
        kubernetes_template: kubernetes: name of a PodTemplate in `kubernetes_namespace`.
        kubernetes_namespace: kubernetes: the namespace of the PodTemplate and the Jobs.
        kubernetes_api, kubernetes_token_file, kubernetes_ca_file: kubernetes: default: the pod's service
            account.
        objects_url: archive of the decision log, `file:///dir` or `gs://bucket`; None: Redis only.
        port: of the HTTP API; 0 picks a free one.
        metrics_port: serves /metrics and the probes; `port` then has no /metrics. 0 serves them on `port`.
        keda_port: of KEDA's external scaler (gRPC without TLS); 0: it is not served.
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
    metrics_port: Annotated[int, Meta(ge=0, le=65_535)] = 0
    keda_port: Annotated[int, Meta(ge=0, le=65_535)] = 0
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
