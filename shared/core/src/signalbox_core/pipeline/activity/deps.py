"""The dependencies of a pipeline's activities, passed once to the factory that `SPEC.activities` names."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from redis.asyncio import Redis

from signalbox_core.crypto.sealing import KeyRing
from signalbox_core.errors import Forbidden, Unavailable
from signalbox_core.http.fetch import Fetches
from signalbox_core.ids import tenant_of
from signalbox_core.objects import ObjectStore, read_upload
from signalbox_core.pipeline.activity.approved_objects import ApprovedObjects
from signalbox_core.pipeline.activity.tenant import current_tenant
from signalbox_core.pipeline.contract.callback_tokens import callback_url
from signalbox_core.pipeline.contract.external_event import Callback
from signalbox_core.process.cpu_pool import CpuPool, small_pool
from signalbox_core.secret import Secret
from signalbox_core.uploads import Upload


@dataclass(frozen=True, kw_only=True)
class ActivityDeps:
    """What activities may use.

    Attributes:
        objects: the store for artifacts; create-only. What belongs to another tenant does not exist. In an
            activity that was called with `approved=`, it reads only the files that were approved, unchanged.
        fetcher: fetches addresses that a tenant supplied; use nothing else for them.
        environ: the worker's environment, for a pipeline's own settings.
        redis: for pacing, shared counters and hints (`signalbox_core.scaling.hints`), returning bytes; its
            data may be lost at any time. None in a worker without REDIS_URL.
        keys: decrypt what the gateway sealed; None in a worker without payload keys.
        callback_origin: the gateway's public origin, for `callback_url`; None where the worker's setting
            SIGNALBOX_WORKER_CALLBACK_ORIGIN is missing.
        cpu: processes for every CPU-heavy step on a tenant's input, such as parsing a file:
            `await deps.cpu.run(function, *arguments, tenant=current_tenant(), within=…)`.
    """

    objects: ObjectStore
    fetcher: Fetches
    environ: Mapping[str, str]
    redis: Redis | None = None
    keys: KeyRing | None = None
    callback_origin: str | None = None
    cpu: CpuPool = field(default_factory=small_pool)

    def __post_init__(self) -> None:
        if not isinstance(self.objects, ApprovedObjects):
            object.__setattr__(self, "objects", ApprovedObjects(self.objects))

    async def read_upload(self, upload: Upload) -> bytes:
        """Read an uploaded file of the input.

        Raises:
            NotFound: `unknown_object`: the run's tenant has no such upload.
            Conflict: `upload_changed`: the stored file is not the one that was uploaded.
        """
        return await read_upload(self.objects, upload.object, tenant=current_tenant())

    def callback_url(self, callback: Callback) -> str:
        """Return the one-time URL of a callback. Keep it out of results, errors, events and logs.

        Raises:
            Forbidden: `tenant_mismatch`: the callback is another tenant's.
            Unavailable: `callbacks_unavailable`: the worker lacks payload keys or the gateway's origin; the
                activity is retried.
        """
        if tenant_of(callback.workflow_id) != current_tenant():
            raise Forbidden("the callback is another tenant's", code="tenant_mismatch")
        if self.keys is None or self.callback_origin is None:
            raise Unavailable(
                "this worker makes no callback URLs; set SIGNALBOX_PAYLOAD_KEYS_FILE and "
                "SIGNALBOX_WORKER_CALLBACK_ORIGIN",
                code="callbacks_unavailable",
            )
        return callback_url(self.callback_origin, callback, self.keys)

    def reveal(self, secret: Secret) -> str:
        """Decrypt a secret of the input. Keep it out of results, errors, events and logs.

        Raises:
            Unavailable: the worker lacks the key; the activity is retried.
        """
        if self.keys is None:
            raise Unavailable(
                "this worker has no payload keys; set SIGNALBOX_PAYLOAD_KEYS_FILE", code="payload_key_missing"
            )
        return self.keys.open_secret(secret).reveal()
