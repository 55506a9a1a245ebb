"""Finds stored payloads that nothing in Temporal refers to.

A payload is in the folder of its run, but other histories may refer to it too: that of a parent has the
result of its child, that of a scheduled start the input of the schedule. So every history is searched.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

from signalbox_core.ids import RUN_ID, run_key
from signalbox_core.objects import MutableObjectStore, StoredObject

if TYPE_CHECKING:
    from temporalio.client import Client, WorkflowExecution

_AT_ONCE: Final = 16


async def read_retention(client: "Client") -> timedelta:
    """How long Temporal keeps ended runs."""
    from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest

    request = DescribeNamespaceRequest(namespace=client.namespace)
    found = await client.workflow_service.describe_namespace(request)
    return found.config.workflow_execution_retention_ttl.ToTimedelta()


async def list_candidates(
    store: MutableObjectStore, tenant: str | None, *, before: datetime
) -> list[StoredObject]:
    """The stored payloads that were written before an instant."""
    from signalbox_core.temporal.claim_check import FOLDER

    folder = FOLDER if tenant is None else f"{FOLDER}/{quote(tenant, safe='')}"
    return [item for item in await store.list_objects(folder) if item.modified_at < before]


async def find_expired(client: "Client", candidates: Sequence[StoredObject]) -> list[StoredObject]:
    """Those candidates whose run Temporal no longer has, and to which nothing that it has refers."""
    if not candidates:
        return []
    folders, keys = await _retained(client, frozenset(item.key for item in candidates))
    return [item for item in candidates if folder_of(item.key) not in folders and item.key not in keys]


class Sweep:
    """Deletes expired payloads."""

    def __init__(self, client: "Client", store: MutableObjectStore) -> None:
        self._client = client
        self._store = store

    async def delete(self, expired: Sequence[StoredObject]) -> int:
        """Delete them. A run of the same id that was started meanwhile keeps its payloads.

        Returns:
            How many were deleted.
        """
        deleted, exists = 0, dict[tuple[str, str], bool]()
        for item in expired:
            run = tenant_of_key(item.key), folder_of(item.key)
            if run not in exists:
                exists[run] = await self._exists(*run)
            if not exists[run]:
                await self._store.delete(item.key)
                deleted += 1
        return deleted

    async def _exists(self, tenant: str, folder: str) -> bool:
        if not RUN_ID.fullmatch(folder):
            return False
        # A release without run keys used the run id as workflow id.
        return any([await _is_known(self._client, name) for name in (run_key(tenant, folder), folder)])


def folder_of(key: str) -> str:
    """The folder of the workflow to which a stored payload belongs."""
    return key.split("/")[2]


def tenant_of_key(key: str) -> str:
    return unquote(key.split("/")[1])


async def _retained(client: "Client", wanted: frozenset[str]) -> tuple[set[str], set[str]]:
    """The folders of all workflows that Temporal has, and the wanted keys to which anything refers."""
    from signalbox_core.temporal.claim_check import mentioned_keys, workflow_folder

    folders: set[str] = set()
    keys: set[str] = set()
    batch: list[WorkflowExecution] = []

    async def search() -> None:
        for found in await asyncio.gather(*(_mentioned(client, execution) for execution in batch)):
            keys.update(found & wanted)
        batch.clear()

    async for execution in client.list_workflows():
        folders.add(workflow_folder(execution.id))
        batch.append(execution)
        if len(batch) == _AT_ONCE:
            await search()
    await search()
    async for schedule in await client.list_schedules():
        described = await client.get_schedule_handle(schedule.id).describe()
        keys |= mentioned_keys(described.raw_description.SerializeToString())
    return folders, keys


async def _mentioned(client: "Client", execution: "WorkflowExecution") -> frozenset[str]:
    from temporalio.service import RPCError, RPCStatusCode

    from signalbox_core.temporal.claim_check import mentioned_keys

    found = mentioned_keys(execution.raw_info.SerializeToString())
    handle = client.get_workflow_handle(execution.id, run_id=execution.run_id)
    try:
        async for event in handle.fetch_history_events():
            found |= mentioned_keys(event.SerializeToString())
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:  # Its retention has ended meanwhile.
            raise
    return found


async def _is_known(client: "Client", workflow_id: str) -> bool:
    from temporalio.service import RPCError, RPCStatusCode

    try:
        await client.get_workflow_handle(workflow_id).describe()
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        return False
    return True
