"""The resolved configuration of one stack, from which all parts are built, and the names they share."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from signalbox_devstack.stack.folder import StateFolder
from signalbox_devstack.stack.keys import KeyFiles

HOST: Final = "127.0.0.1"
PROJECT: Final = "signalbox"
NAMESPACE: Final = "default"
TOPOLOGY: Final = "topology"
"""The setup step between backends and services (topics, subscriptions, search attributes)."""


class Programs(Struct, frozen=True):
    """Paths of the executables that are not part of Signalbox."""

    temporal: str
    redis: str


class StackConfig(Struct, frozen=True, kw_only=True):
    """Everything a part's command line and environment are derived from.

    Attributes:
        ports: by part name, plus `temporal_ui`.
        environ: the environment of the caller.
    """

    folder: StateFolder
    ports: Mapping[str, int]
    keys: KeyFiles
    programs: Programs
    workers: int = 1
    has_temporal_ui: bool = True
    has_model_api: bool = False
    environ: Mapping[str, str] = {}
