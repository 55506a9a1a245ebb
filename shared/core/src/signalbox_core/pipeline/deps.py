"""What a pipeline's activities may ask for: passed once to the factory that `SPEC.activities` names."""

from collections.abc import Mapping
from dataclasses import dataclass

from signalbox_core.fetch import Fetches
from signalbox_core.objects import ObjectStore


@dataclass(frozen=True, kw_only=True)
class ActivityDeps:
    """Attributes:
    objects: where artifacts are put; create-only.
    fetcher: the only way to an address that a tenant gave.
    environ: the worker's environment, for a pipeline's own settings.
    """

    objects: ObjectStore
    fetcher: Fetches
    environ: Mapping[str, str]
