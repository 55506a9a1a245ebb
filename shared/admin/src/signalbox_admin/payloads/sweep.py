"""Finds stored payloads that nothing in Temporal refers to, and deletes them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from signalbox_admin.payloads.references import References, folder_of, tenant_of_key
from signalbox_core.errors import NotFound
from signalbox_core.ids import RUN_ID, run_key
from signalbox_core.objects import MutableObjectStore, StoredObject

if TYPE_CHECKING:
    from temporalio.client import Client

_BATCH: Final = 100
"""So many payloads are deleted between two searches for new references."""


async def read_retention(client: "Client") -> timedelta:
    """How long Temporal keeps ended runs."""
    from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest

    request = DescribeNamespaceRequest(namespace=client.namespace)
    found = await client.workflow_service.describe_namespace(request)
    return found.config.workflow_execution_retention_ttl.ToTimedelta()


async def has_workflows(client: "Client") -> bool:
    """Whether the namespace has any workflow, open or ended."""
    return bool([execution async for execution in client.list_workflows(limit=1)])


async def list_candidates(
    store: MutableObjectStore, tenant: str | None, *, before: datetime
) -> list[StoredObject]:
    """The stored payloads that were written before an instant."""
    from signalbox_core.temporal.claim_check import FOLDER

    folder = FOLDER if tenant is None else f"{FOLDER}/{quote(tenant, safe='')}"
    return [item for item in await store.list_objects(folder) if item.modified_at < before]


class Sweep:
    """Deletes those candidates whose run Temporal no longer has, and to which nothing that it has refers."""

    def __init__(
        self, client: "Client", store: MutableObjectStore, candidates: Sequence[StoredObject]
    ) -> None:
        self._client = client
        self._store = store
        self._candidates = candidates
        self._references = References(client, candidates)

    async def find_expired(self) -> list[StoredObject]:
        """Search all histories and schedules."""
        if not self._candidates:
            return []
        await self._references.update()
        return [item for item in self._candidates if not self._references.cover(item)]

    async def delete(self, expired: Sequence[StoredObject]) -> int:
        """Delete what `find_expired` returned, except payloads that came into use meanwhile.

        Returns:
            How many were deleted.
        """
        deleted = 0
        for start in range(0, len(expired), _BATCH):
            await self._references.update()
            for item in expired[start : start + _BATCH]:
                if await self._is_expired(item):
                    await self._store.delete(item.key)
                    deleted += 1
        return deleted

    async def _is_expired(self, item: StoredObject) -> bool:
        if self._references.cover(item) or await self._has_run(item):
            return False
        try:
            found = await self._store.stat(item.key)
        except NotFound:
            return False
        # Writing a payload again makes it young. Cloud Storage's reply has whole seconds, its listing more.
        return found.modified_at <= item.modified_at

    async def _has_run(self, item: StoredObject) -> bool:
        tenant, folder = tenant_of_key(item.key), folder_of(item.key)
        if not RUN_ID.fullmatch(folder):
            return False  # The id of the workflow is not known; the listings have it.
        # A release without run keys used the run id as workflow id.
        return any([await _is_known(self._client, name) for name in (run_key(tenant, folder), folder)])


async def _is_known(client: "Client", workflow_id: str) -> bool:
    from temporalio.service import RPCError, RPCStatusCode

    try:
        await client.get_workflow_handle(workflow_id).describe()
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        return False
    return True
