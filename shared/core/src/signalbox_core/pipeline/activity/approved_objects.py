"""The object store of activities: an approved effect reads the files that were approved, and no others."""

from contextvars import ContextVar
from typing import Final

from signalbox_core.objects import ObjectRef, ObjectStore
from signalbox_core.pipeline.contract.approved_effect import EffectApproval, check_file

call_approval: Final[ContextVar[EffectApproval | None]] = ContextVar("signalbox_approval", default=None)
"""Set by the worker's interceptor around an activity that was called with `approved=`."""


class ApprovedObjects:
    """An ObjectStore that checks what it reads against the approval of the activity in progress, if any."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def put_new(self, key: str, body: bytes, media_type: str) -> ObjectRef:
        return await self._store.put_new(key, body, media_type)

    async def get(self, key: str) -> bytes:
        """Read an object.

        Raises:
            Conflict: `not_what_was_approved`: the approval does not cover the object, or it has changed.
        """
        body = await self._store.get(key)
        approval = call_approval.get()
        if approval is not None:
            check_file(approval, key, body)
        return body

    async def exists(self, key: str) -> bool:
        return await self._store.exists(key)
