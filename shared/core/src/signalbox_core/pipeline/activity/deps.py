"""What a pipeline's activities may ask for: passed once to the factory that `SPEC.activities` names."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from redis.asyncio import Redis

from signalbox_core.crypto.sealing import KeyRing
from signalbox_core.errors import Unavailable
from signalbox_core.http.fetch import Fetches
from signalbox_core.objects import ObjectStore
from signalbox_core.process.cpu_pool import CpuPool, small_pool
from signalbox_core.secret import Secret


@dataclass(frozen=True, kw_only=True)
class ActivityDeps:
    """Attributes:
    objects: where artifacts are put; create-only.
    fetcher: the only way to an address that a tenant gave.
    environ: the worker's environment, for a pipeline's own settings.
    keys: open what the gateway sealed; None in a worker without payload keys.
    cpu: processes for every CPU-heavy step on a tenant's input, such as parsing a file: `await deps.cpu.run(function,
       *arguments, tenant=current_tenant(), within=…)`; a small pool unless given.
    redis: for pacing, shared counts and hints (`signalbox_core.scaling.hints`); None in a worker
       without REDIS_URL. Gives bytes; holds no truth.
    """

    objects: ObjectStore
    fetcher: Fetches
    environ: Mapping[str, str]
    redis: Redis | None = None
    keys: KeyRing | None = None
    cpu: CpuPool = field(default_factory=small_pool)

    def reveal(self, secret: Secret) -> str:
        """A secret of the input in clear, for the one call that needs it: keep it out of results, errors and logs.

        Raises:
            Unavailable: the worker lacks the key; the activity is tried again.
        """
        if self.keys is None:
            raise Unavailable(
                "this worker has no payload keys; set SIGNALBOX_PAYLOAD_KEYS_FILE", code="payload_key_missing"
            )
        return self.keys.open_secret(secret).reveal()
