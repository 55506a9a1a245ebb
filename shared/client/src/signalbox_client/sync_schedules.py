# Generated from async_schedules.py by tools/sync_client.py (make generate); do not edit.
"""Manages schedules through the API. A base of the blocking client."""

from datetime import datetime

from signalbox_client.sync_approvals import ApprovalMethods
from signalbox_client.wire import schedule_requests
from signalbox_client.wire.http_options import encode_raw
from signalbox_client.wire.schedule_models import Backfilled, Overlap, Schedule, Triggered


class ScheduleMethods(ApprovalMethods):
    """The methods of schedules."""

    def schedules(self) -> tuple[Schedule, ...]:
        """List the schedules, each with its newest run."""
        listed = self._connection.send(schedule_requests.list_schedules())
        return listed.schedules

    def schedule(self, schedule_id: str) -> Schedule:
        """Get a schedule: its next five times, its latest runs, its input. Raises: NotFound."""
        return self._connection.send(schedule_requests.get_schedule(schedule_id))

    def create_schedule(self, schedule_id: str, pipeline: str, given: object, **members: object) -> Schedule:
        """Create a schedule; an identical call returns the existing one.

        Args:
            given: the input of the runs; anything that encodes to a JSON object.
            members: of the request, for example `cron`, `time_zone`, `every_s` and `overlap`.

        Raises:
            InvalidInput: a member is invalid; `field` names it.
            Conflict: there is another schedule of this id, or too many.
        """
        body = {"schedule_id": schedule_id, "pipeline": pipeline, "input": encode_raw(given), **members}
        return self._connection.send(schedule_requests.create_schedule(body))

    def update_schedule(self, schedule_id: str, **changes: object) -> Schedule:
        """Change members of a schedule; `paused=True` pauses it."""
        return self._connection.send(schedule_requests.update_schedule(schedule_id, changes))

    def delete_schedule(self, schedule_id: str) -> None:
        """Delete a schedule; its runs continue."""
        self._connection.fetch(schedule_requests.delete_schedule(schedule_id))

    def trigger_schedule(self, schedule_id: str, *, overlap: Overlap | None = None) -> Triggered:
        """Start a run of the schedule now.

        Raises:
            Conflict: a run of the schedule is open, and `overlap` is `skip`.
        """
        return self._connection.send(schedule_requests.trigger_schedule(schedule_id, overlap))

    def backfill_schedule(
        self, schedule_id: str, first: datetime, last: datetime, *, overlap: Overlap | None = None
    ) -> Backfilled:
        """Start the runs of the schedule's times in a past period; times that have a run start none."""
        return self._connection.send(schedule_requests.backfill_schedule(schedule_id, first, last, overlap))
