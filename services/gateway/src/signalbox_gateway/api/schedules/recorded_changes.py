"""Creates, changes and deletes schedules, each change recorded for the ledger."""

from collections.abc import Callable
from datetime import datetime

from signalbox_core.errors import Conflict
from signalbox_core.subjects import Subject
from signalbox_gateway.api.schedules.changes import change_name, comparable, schedule_item
from signalbox_gateway.changes.change_events import RecordChange, change_event
from signalbox_gateway.changes.difference import compare
from signalbox_gateway.schedules.definition import ScheduleDefinition
from signalbox_gateway.schedules.store import ScheduleStore, StoredSchedule


class RecordedChanges:
    """Changes schedules. A change and a deletion are recorded before they are made, a creation after it.

    Args:
        record: publishes an event for the ledger; raises Unavailable.
    """

    def __init__(self, store: ScheduleStore, record: RecordChange) -> None:
        self.store = store
        self._record = record

    async def create(self, definition: ScheduleDefinition, by: Subject, now: datetime) -> bool:
        """Create the schedule; False if an identical request has created it.

        A repeated request is recorded too: the first one may have failed after it created the schedule.

        Raises:
            Conflict: the tenant has another schedule of this id, or as many as it may have.
        """
        tenant, schedule_id = definition.start.tenant, definition.start.schedule_id
        is_new = True
        try:
            await self.store.create(definition, now)
        except Conflict as error:
            if error.stable_code != "schedule_id_taken":
                raise
            found = await self.store.get(tenant, schedule_id)
            if comparable(found.definition) != comparable(definition):
                raise
            is_new = False
        stored = await self.store.get(tenant, schedule_id)
        await self._record_change(tenant, None, definition, stored.created_at, by, now)
        return is_new

    async def update(
        self,
        stored: StoredSchedule,
        change: Callable[[StoredSchedule], ScheduleDefinition],
        by: Subject,
        now: datetime,
    ) -> None:
        """Change the schedule; what changes nothing is not recorded.

        Raises:
            NotFound: it was deleted meanwhile.
        """
        before, start = stored.definition, stored.definition.start
        await self._record_change(start.tenant, before, change(stored), _changed_at(stored), by, now)
        await self.store.update(start.tenant, start.schedule_id, now, change)

    async def delete(self, stored: StoredSchedule, by: Subject, now: datetime) -> None:
        """Delete the schedule; its runs continue."""
        before, start = stored.definition, stored.definition.start
        await self._record_change(start.tenant, before, None, _changed_at(stored), by, now)
        await self.store.delete(start.tenant, start.schedule_id)

    async def _record_change(
        self,
        tenant: str,
        before: ScheduleDefinition | None,
        after: ScheduleDefinition | None,
        changed_at: datetime,
        by: Subject,
        now: datetime,
    ) -> None:
        """Record a difference.

        Args:
            changed_at: when the schedule was created or last changed, which distinguishes equal changes.
        """
        difference = compare(
            schedule_item(before) if before is not None else None,
            schedule_item(after) if after is not None else None,
        )
        if difference is not None:
            name = change_name(difference)
            await self._record(
                change_event(name, tenant, difference, now, state=changed_at.isoformat(), by=by)
            )


def _changed_at(stored: StoredSchedule) -> datetime:
    return stored.updated_at or stored.created_at
