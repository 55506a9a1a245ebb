"""The autoscaler's settings: environment variables, read once in `__main__`."""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

PREFIX: Final = "SIGNALBOX_AUTOSCALER"


class Settings(Struct, frozen=True, kw_only=True):
    """`SIGNALBOX_AUTOSCALER_<FIELD>`; backends under the names that their own clients read.

    Attributes:
        task_queues: watched from the start (comma separated); queues of heartbeating workers are found by themselves.
        observe_every_s: seconds between two looks.
        port: of /v1/decisions, /healthz, /readyz and /metrics; 0 picks a free one.
    """

    temporal_address: str | None = None
    temporal_namespace: str | None = None
    task_queues: frozenset[str] = frozenset()
    observe_every_s: Annotated[float, Meta(ge=0.1, le=3_600)] = 5.0
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8083
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
