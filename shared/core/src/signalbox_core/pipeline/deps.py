"""What a pipeline's activities may ask for: passed once to the factory that `SPEC.activities` names."""

from collections.abc import Mapping
from dataclasses import dataclass

from redis.asyncio import Redis

from signalbox_core.fetch import Fetches
from signalbox_core.objects import ObjectStore


@dataclass(frozen=True, kw_only=True)
class ActivityDeps:
    """Attributes:
    objects: where artifacts are put; create-only.
    fetcher: the only way to an address that a tenant gave.
    environ: the worker's environment, for a pipeline's own settings.
    redis: for pacing, shared counts and hints (`signalbox_core.hints`); None in a worker without REDIS_URL. Gives bytes; holds no truth.
    """

    objects: ObjectStore
    fetcher: Fetches
    environ: Mapping[str, str]
    redis: Redis | None = None
