"""Schedules in Temporal, by tenant and id, with the RPC errors of its client mapped to Signalbox errors."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp
from msgspec import Struct
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import ScheduleOverlapPolicy as OverlapEnum
from temporalio.api.schedule.v1 import SchedulePatch, TriggerImmediatelyRequest
from temporalio.api.workflowservice.v1 import ListScheduleMatchingTimesRequest, PatchScheduleRequest
from temporalio.client import (
    Client,
    ScheduleActionExecution,
    ScheduleActionExecutionStartWorkflow,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleBackfill,
    ScheduleDescription,
    ScheduleHandle,
    ScheduleOverlapPolicy,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.common import SearchAttributePair, TypedSearchAttributes

from signalbox_core.errors import Conflict, NotFound
from signalbox_core.pipeline.contract.scheduled_start import (
    SCHEDULE_ID,
    ScheduledStart,
    StarterId,
    parse_starter_id,
    schedule_key,
)
from signalbox_core.temporal.names import SEARCH_TENANT
from signalbox_gateway.runs.search.visibility import tenant_query
from signalbox_gateway.runs.temporal_errors import map_temporal_errors, temporal_unavailable
from signalbox_gateway.schedules.definition import (
    OVERLAP_POLICIES,
    Overlap,
    ScheduleDefinition,
    temporal_schedule,
)
from signalbox_gateway.schedules.limits import ScheduleLimits

_NAMES: Final[Mapping[ScheduleOverlapPolicy, Overlap]] = {
    policy: name for name, policy in OVERLAP_POLICIES.items()
}
_MAX_CONCURRENT_READS: Final = 10


class StartedAction(Struct, frozen=True, kw_only=True):
    """A start that the schedule has made, and when."""

    starter_id: StarterId
    started_at: datetime


class StoredSchedule(Struct, frozen=True, kw_only=True):
    """A schedule as Temporal describes it.

    Attributes:
        running: those starts whose runs have not ended.
        recent: the latest starts, the newest first.
        missed: starts that were not made within `catch_up_s`.
        skipped: starts that the overlap policy left out.
    """

    definition: ScheduleDefinition
    created_at: datetime
    updated_at: datetime | None
    next_at: tuple[datetime, ...]
    running: tuple[StarterId, ...]
    recent: tuple[StartedAction, ...]
    missed: int
    skipped: int


class ScheduleStore:
    """Stores, reads and triggers schedules. A tenant reaches its own only, because their keys name it."""

    def __init__(self, client: Client, *, deadline: timedelta, limits: ScheduleLimits) -> None:
        self.limits = limits
        self._client = client
        self._deadline = deadline
        self._reads = asyncio.Semaphore(_MAX_CONCURRENT_READS)

    async def create(self, definition: ScheduleDefinition, now: datetime) -> None:
        """Raises: Conflict: the tenant has a schedule of this id, or as many as it may have."""
        start = definition.start
        if await self._count(start.tenant) >= self.limits.count:
            if await self._find(start.tenant, start.schedule_id) is not None:
                raise _id_taken(start.schedule_id)
            raise Conflict(
                f"the tenant has {self.limits.count} schedules, the maximum; delete one first",
                code="too_many_schedules",
            )
        try:
            async with self._calls(start.schedule_id):
                await self._client.create_schedule(
                    schedule_key(start.tenant, start.schedule_id),
                    temporal_schedule(definition, now),
                    search_attributes=TypedSearchAttributes(
                        [SearchAttributePair(SEARCH_TENANT, start.tenant)]
                    ),
                    rpc_timeout=self._deadline,
                )
        except ScheduleAlreadyRunningError:
            raise _id_taken(start.schedule_id) from None

    async def get(self, tenant: str, schedule_id: str) -> StoredSchedule:
        """Raises: NotFound: the tenant has no such schedule."""
        async with self._calls(schedule_id), self._reads:
            found = await self._handle(tenant, schedule_id).describe(rpc_timeout=self._deadline)
            return await self._stored(found, tenant, schedule_id)

    async def list(self, tenant: str) -> list[StoredSchedule]:
        """The tenant's schedules, by id. One that was created a moment ago may be missing."""
        prefix = schedule_key(tenant, "")
        async with self._calls(""):
            listed = await self._client.list_schedules(tenant_query(tenant), rpc_timeout=self._deadline)
            ids = sorted(
                [item.id.removeprefix(prefix) async for item in listed if item.id.startswith(prefix)]
            )
        found = await asyncio.gather(*(self._find(tenant, schedule_id) for schedule_id in ids))
        return [item for item in found if item is not None]

    async def update(
        self,
        tenant: str,
        schedule_id: str,
        now: datetime,
        change: Callable[[StoredSchedule], ScheduleDefinition],
    ) -> None:
        """Apply `change` to the schedule, again if another change intervenes.

        Raises:
            NotFound: the tenant has no such schedule.
        """

        async def updated(found: ScheduleUpdateInput) -> ScheduleUpdate:
            stored = await self._stored(found.description, tenant, schedule_id)
            return ScheduleUpdate(schedule=temporal_schedule(change(stored), now))

        async with self._calls(schedule_id):
            await self._handle(tenant, schedule_id).update(updated, rpc_timeout=self._deadline)

    async def delete(self, tenant: str, schedule_id: str) -> None:
        """Delete the schedule; its runs continue. Raises: NotFound: the tenant has no such schedule."""
        async with self._calls(schedule_id):
            await self._handle(tenant, schedule_id).delete(rpc_timeout=self._deadline)

    async def trigger(self, tenant: str, schedule_id: str, overlap: Overlap, *, request_id: str) -> None:
        """Start a run now, as far as the overlap policy allows.

        Args:
            request_id: Temporal ignores a repeated request with the same id.
        """
        start_now = TriggerImmediatelyRequest(
            overlap_policy=OverlapEnum.ValueType(int(OVERLAP_POLICIES[overlap]))
        )
        async with self._calls(schedule_id):
            # The handle's method has no request id.
            await self._client.workflow_service.patch_schedule(
                PatchScheduleRequest(
                    namespace=self._client.namespace,
                    schedule_id=schedule_key(tenant, schedule_id),
                    patch=SchedulePatch(trigger_immediately=start_now),
                    identity=self._client.identity,
                    request_id=request_id,
                ),
                retry=True,
                timeout=self._deadline,
            )

    async def backfill(
        self, tenant: str, schedule_id: str, first: datetime, last: datetime, overlap: Overlap
    ) -> None:
        """Start the runs of the times in a past period. A time whose run was started starts no second one."""
        async with self._calls(schedule_id):
            backfill = ScheduleBackfill(start_at=first, end_at=last, overlap=OVERLAP_POLICIES[overlap])
            await self._handle(tenant, schedule_id).backfill(backfill, rpc_timeout=self._deadline)

    async def matching_times(
        self, tenant: str, schedule_id: str, first: datetime, last: datetime
    ) -> tuple[datetime, ...]:
        """The times of the schedule in a period, as Temporal computes them."""
        start_time, end_time = Timestamp(), Timestamp()
        start_time.FromDatetime(first)
        end_time.FromDatetime(last)
        async with self._calls(schedule_id):
            found = await self._client.workflow_service.list_schedule_matching_times(
                ListScheduleMatchingTimesRequest(
                    namespace=self._client.namespace,
                    schedule_id=schedule_key(tenant, schedule_id),
                    start_time=start_time,
                    end_time=end_time,
                ),
                timeout=self._deadline,
            )
        return tuple(time.ToDatetime(first.tzinfo) for time in found.start_time)

    async def _count(self, tenant: str) -> int:
        async with self._calls(""):
            listed = await self._client.list_schedules(tenant_query(tenant), rpc_timeout=self._deadline)
            return len([item.id async for item in listed])

    async def _find(self, tenant: str, schedule_id: str) -> StoredSchedule | None:
        try:
            return await self.get(tenant, schedule_id)
        except NotFound:
            return None

    def _handle(self, tenant: str, schedule_id: str) -> ScheduleHandle:
        if not SCHEDULE_ID.fullmatch(schedule_id):
            raise _unknown(schedule_id)
        return self._client.get_schedule_handle(schedule_key(tenant, schedule_id))

    async def _stored(self, found: ScheduleDescription, tenant: str, schedule_id: str) -> StoredSchedule:
        action = found.schedule.action
        payload = action.args[0] if isinstance(action, ScheduleActionStartWorkflow) and action.args else None
        if not isinstance(payload, Payload):
            raise _unknown(schedule_id)
        (start,) = await self._client.data_converter.decode([payload], [ScheduledStart])
        if start.tenant != tenant:
            raise _unknown(schedule_id)
        policy, state, info = found.schedule.policy, found.schedule.state, found.info
        recent = [(_starter_id(item.action), item.started_at) for item in info.recent_actions]
        running = [_starter_id(action) for action in info.running_actions]
        return StoredSchedule(
            definition=ScheduleDefinition(
                start=start,
                overlap=_NAMES.get(policy.overlap, "skip"),
                catch_up_s=int((policy.catchup_window or timedelta()).total_seconds()),
                is_paused=state.paused,
                note=state.note or "",
            ),
            created_at=info.created_at,
            updated_at=info.last_updated_at,
            next_at=() if state.paused else tuple(info.next_action_times),
            running=tuple(item for item in running if item is not None),
            recent=tuple(
                StartedAction(starter_id=starter_id, started_at=at)
                for starter_id, at in reversed(recent)
                if starter_id is not None
            ),
            missed=info.num_actions_missed_catchup_window,
            skipped=info.num_actions_skipped_overlap,
        )

    @asynccontextmanager
    async def _calls(self, schedule_id: str) -> AsyncIterator[None]:
        """Map the errors of calls about one schedule, or about all.

        Raises:
            NotFound: there is no such schedule.
            Unavailable: Temporal does not respond in time.
        """
        try:
            async with asyncio.timeout(self._deadline.total_seconds()), map_temporal_errors():
                yield
        except NotFound as error:
            raise (_unknown(schedule_id) if schedule_id else error) from None
        except TimeoutError:
            raise temporal_unavailable() from None


def _starter_id(action: ScheduleActionExecution) -> StarterId | None:
    if not isinstance(action, ScheduleActionExecutionStartWorkflow):
        return None
    return parse_starter_id(action.workflow_id)


def _unknown(schedule_id: str) -> NotFound:
    return NotFound(
        f"there is no schedule {schedule_id[:60]}; GET /v1/schedules lists yours", code="unknown_schedule"
    )


def _id_taken(schedule_id: str) -> Conflict:
    return Conflict(
        f"there is a schedule {schedule_id}; choose another schedule_id, or change that one",
        field="schedule_id",
        code="schedule_id_taken",
    )
