"""What the histories and schedules of a namespace refer to in the object store.

A payload is in the folder of its workflow, but other histories may refer to it too: that of a parent has the
result of its child, that of a scheduled start the input of the schedule. So every history is searched.
"""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

import msgspec
from msgspec import Struct

from signalbox_core.objects import StoredObject

if TYPE_CHECKING:
    from temporalio.api.schedule.v1 import ScheduleInfo
    from temporalio.client import Client, WorkflowExecution

_AT_ONCE: Final = 16
_MARGIN: Final = timedelta(minutes=5)
"""How far the clock here may be ahead of Temporal's, and a new workflow be missing in its listings."""


class Mentions(Struct, frozen=True, kw_only=True):
    """What something refers to.

    Attributes:
        keys: of payloads.
        folders: of the workflows whose payloads it needs.
        needs_unnamed: it needs the result of a scheduled workflow whose id is not known.
    """

    keys: frozenset[str] = frozenset()
    folders: frozenset[str] = frozenset()
    needs_unnamed: bool = False


class References:
    """The references of a namespace to stored payloads.

    Args:
        candidates: the payloads in question; references to others are not kept.
    """

    def __init__(self, client: "Client", candidates: Iterable[StoredObject]) -> None:
        self._client = client
        self._wanted = frozenset(item.key for item in candidates)
        self._keys: set[str] = set()
        self._folders: set[str] = set()
        self._needs_unnamed = False
        self._searched_at: datetime | None = None

    def cover(self, item: StoredObject) -> bool:
        """Whether Temporal has the payload's workflow, or anything refers to the payload."""
        folder = folder_of(item.key)
        # The id of a scheduled workflow ends with a time, so its folder is named by a digest.
        is_unnamed = self._needs_unnamed and folder.startswith("~")
        return is_unnamed or folder in self._folders or item.key in self._keys

    def add(self, found: Mentions) -> None:
        self._keys |= found.keys & self._wanted
        self._folders |= found.folders
        self._needs_unnamed |= found.needs_unnamed

    async def update(self) -> None:
        """Search all workflows, or those that began since the last search, and all schedules."""
        since, self._searched_at = self._searched_at, datetime.now(UTC) - _MARGIN
        await self._search_workflows(f"StartTime >= '{since.isoformat()}'" if since else None)
        async for schedule in await self._client.list_schedules():
            self.add(await mentions_of_schedule(self._client, schedule.id))

    async def _search_workflows(self, query: str | None) -> None:
        batch: list[WorkflowExecution] = []
        async for execution in self._client.list_workflows(query):
            batch.append(execution)
            if len(batch) == _AT_ONCE:
                await self._search_histories(batch)
                batch.clear()
        await self._search_histories(batch)

    async def _search_histories(self, batch: Iterable["WorkflowExecution"]) -> None:
        for found in await asyncio.gather(*(_mentions_of_workflow(self._client, item) for item in batch)):
            self.add(found)


def folder_of(key: str) -> str:
    """The folder of the workflow to which a stored payload belongs."""
    return key.split("/")[2]


def tenant_of_key(key: str) -> str:
    return unquote(key.split("/")[1])


async def mentions_of_schedule(client: "Client", schedule_id: str) -> Mentions:
    """What a schedule needs; nothing if it was deleted after it was listed."""
    from temporalio.service import RPCError, RPCStatusCode

    from signalbox_core.temporal.claim_check import mentioned_keys

    try:
        described = (await client.get_schedule_handle(schedule_id).describe()).raw_description
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        return Mentions()
    started = mentions_of_starts(described.info)
    return msgspec.structs.replace(started, keys=mentioned_keys(described.SerializeToString()))


def mentions_of_starts(info: "ScheduleInfo") -> Mentions:
    """The workflows that a schedule started.

    It passes the result of the last completed one to the next, also when Temporal no longer has the former.
    The schedule names its last ten; if none of these completed, an earlier one may be the last completed.
    """
    from temporalio.api.enums.v1 import WorkflowExecutionStatus

    from signalbox_core.temporal.claim_check import workflow_folder

    recent = info.recent_actions
    started = [*(action.start_workflow_result for action in recent), *info.running_workflows]
    completed = WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_COMPLETED
    has_completed = any(action.start_workflow_status == completed for action in recent)
    return Mentions(
        folders=frozenset(workflow_folder(item.workflow_id) for item in started),
        needs_unnamed=info.action_count > len(recent) and not has_completed,
    )


async def _mentions_of_workflow(client: "Client", execution: "WorkflowExecution") -> Mentions:
    from temporalio.client import WorkflowExecutionStatus
    from temporalio.service import RPCError, RPCStatusCode

    from signalbox_core.temporal.claim_check import mentioned_keys, workflow_folder

    folders = frozenset({workflow_folder(execution.id)})
    found = mentioned_keys(execution.raw_info.SerializeToString())
    handle = client.get_workflow_handle(execution.id, run_id=execution.run_id)
    try:
        if execution.status == WorkflowExecutionStatus.RUNNING:
            # Its history lacks the heartbeats of activities in progress.
            found |= mentioned_keys((await handle.describe()).raw_description.SerializeToString())
        async for event in handle.fetch_history_events():
            found |= mentioned_keys(event.SerializeToString())
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:  # Its retention has ended meanwhile.
            raise
    return Mentions(keys=found, folders=folders)
