"""The object store of activities: one tenant's objects, and in an approved effect only the approved files."""

from contextvars import ContextVar
from typing import Final

from signalbox_core.errors import Forbidden, NotFound
from signalbox_core.objects import ObjectRef, ObjectStore
from signalbox_core.pipeline.activity.tenant import is_own_key
from signalbox_core.pipeline.contract.approved_effect import EffectApproval, check_file

call_approval: Final[ContextVar[EffectApproval | None]] = ContextVar("signalbox_approval", default=None)
"""Set by the worker's interceptor around an activity that was called with `approved=`."""


class ApprovedObjects:
    """An ObjectStore that is limited to the tenant and the approval of the activity in progress, if any."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def put_new(self, key: str, body: bytes, media_type: str) -> ObjectRef:
        """Write an object.

        Raises:
            Forbidden: the key belongs to another tenant, or to Signalbox's services.
        """
        if not is_own_key(key):
            raise Forbidden(
                f"the object {key[:200]!r} belongs to another tenant or to Signalbox; it is not written"
            )
        return await self._store.put_new(key, body, media_type)

    async def get(self, key: str) -> bytes:
        """Read an object.

        Raises:
            NotFound: there is none, or it does not belong to the tenant.
            Conflict: `not_what_was_approved`: the approval does not cover the object, or it has changed.
        """
        if not is_own_key(key):
            raise NotFound(f"no object {key!r} in the store", field="key")
        body = await self._store.get(key)
        approval = call_approval.get()
        if approval is not None:
            check_file(approval, key, body)
        return body

    async def exists(self, key: str) -> bool:
        return is_own_key(key) and await self._store.exists(key)
