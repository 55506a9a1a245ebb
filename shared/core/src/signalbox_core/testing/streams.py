"""FakeRunStream: the run's stream in memory, with the behavior of the real one."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count

import msgspec
from msgspec.structs import replace

from signalbox_core.errors import InvalidInput, SignalboxError
from signalbox_core.events import CloudEvent, Snapshot
from signalbox_core.events.snapshot import ENDED
from signalbox_core.ids import run_id_of, run_key
from signalbox_core.streams import inbox_entries
from signalbox_core.streams import record as records
from signalbox_core.streams.keys import tenant_channel
from signalbox_core.streams.projection import BASE, project, running_children, with_ends_of_children
from signalbox_core.streams.record import ENDED_STEP, Record
from signalbox_core.streams.run_stream import (
    INBOX_CHANGED,
    RUN_APPEARED,
    AppendOutcome,
    Cursor,
    DecidedItem,
    Gap,
    History,
    InboxPage,
    InboxPosition,
    ProjectedSnapshot,
)
from signalbox_core.testing.approval_lists import FakeApprovalLists
from signalbox_core.testing.channels import FakeChannels
from signalbox_core.testing.stream_state import FakeRunState, frame_of

__all__ = ["FakeChannels", "FakeRunStream"]


class FakeRunStream:
    """A RunStream in memory.

    Args:
        now: the clock for gaps.
        max_frames: as in the real one, but exact.
    """

    def __init__(
        self, *, now: Callable[[], datetime] = lambda: datetime.now(UTC), max_frames: int = 10_000
    ) -> None:
        self.channels = FakeChannels()
        self._now = now
        self._max_frames = max_frames
        self._runs: dict[str, FakeRunState] = {}
        self._approvals = FakeApprovalLists(self._runs)
        self._epochs = (f"e{number}" for number in count(1))

    def forget(self) -> None:
        """Lose all data, like Redis after FLUSHALL."""
        self._runs.clear()
        self._approvals.clear()

    async def append(self, event: CloudEvent) -> AppendOutcome:
        return (await self.append_many([event]))[0]

    async def append_many(self, events: Sequence[CloudEvent]) -> list[AppendOutcome]:
        batch = [(event, records.milestone_record(event)) for event in events]
        return [self._append(event, record) for event, record in batch]

    async def write_batch(self, events: Sequence[CloudEvent]) -> list[AppendOutcome | SignalboxError]:
        return [self._write(event) for event in events]

    append_missing = write_batch

    async def progress(self, event: CloudEvent) -> None:
        self._publish_live(event, records.live_record(event))

    async def announce(self, event: CloudEvent) -> None:
        self._publish_live(event, records.transient_record(event))

    async def locate(self, tenant: str, run_id: str) -> str:
        return run_key(tenant, run_id)

    async def read(self, key: str, after: Cursor | None, limit: int = 500) -> History:
        run = self._runs.get(key) or FakeRunState(epoch="", tenant="")
        start = after.sequence if after else 0
        first = run.log[0].sequence if run.log else run.top + 1
        lost = start > run.top or start < first - 1 or (after is not None and after.epoch != run.epoch)
        kept = [frame_of(run.epoch, record) for record in run.log if record.sequence > start][:limit]
        return History(
            epoch=run.epoch, top=run.top, ended=run.ended, frames=() if lost else tuple(kept), lost=lost
        )

    async def snapshot(self, key: str) -> ProjectedSnapshot | None:
        run = self._runs.get(key)
        if run is None or not run.newest:
            return None
        snapshot = project(run_id_of(key), run.tenant, run.newest, run.top)
        children = [self._runs.get(run_key(run.tenant, child)) for child in running_children(snapshot)]
        ends = [child.marks.get("terminal") if child and child.ended else None for child in children]
        snapshot = with_ends_of_children(replace(snapshot, retried_as=run.retried_as), ends)
        return ProjectedSnapshot(snapshot=snapshot, epoch=run.epoch)

    async def inbox(
        self,
        tenant: str,
        *,
        after: InboxPosition | None = None,
        limit: int = 200,
        voter: str | None = None,
    ) -> InboxPage:
        return self._approvals.page(tenant, after, limit, voter)

    async def decided(self, tenant: str, limit: int) -> tuple[DecidedItem, ...]:
        return self._approvals.newest_decided(tenant, limit)

    async def tenants_with_approvals(self) -> list[str]:
        return self._approvals.tenants()

    async def open_runs(self, tenant: str, limit: int) -> list[str]:
        runs = [key for key, run in self._runs.items() if run.tenant == tenant and not run.ended]
        return runs[::-1][:limit]

    async def ended_runs(self, tenant: str, limit: int) -> dict[str, datetime]:
        runs = [(run.ended_at, key) for key, run in self._runs.items() if run.tenant == tenant]
        ended = sorted([(at, key) for at, key in runs if at is not None], reverse=True)
        return {key: at for at, key in ended[:limit] if self._now() - at <= timedelta(hours=1)}

    async def gaps(self, *, older_than: timedelta) -> list[Gap]:
        until = self._now() - older_than
        return [
            Gap(
                key=key,
                run_id=run_id_of(key),
                tenant=run.tenant,
                epoch=run.epoch,
                top=run.top,
                since=run.gap_since,
            )
            for key, run in sorted(self._runs.items())
            if run.gap_since is not None and run.gap_since <= until
        ]

    async def rebuild(self, snapshot: Snapshot, *, replaces: str | None = None) -> str | None:
        key = run_key(snapshot.tenant, snapshot.run_id)
        before = self._runs.get(key)
        if replaces is not None and (before.epoch if before else "") != replaces:
            return None
        ended = snapshot.status in ENDED
        run = FakeRunState(
            epoch=next(self._epochs), tenant=snapshot.tenant, top=snapshot.sequence, ended=ended
        )
        run.ended_at = snapshot.ended_at
        run.newest[BASE] = msgspec.json.encode(snapshot)
        run.set_marks(records.snapshot_marks(snapshot))
        waiting = before.parked if before and not ended else {}
        run.parked = {sequence: record for sequence, record in waiting.items() if sequence > run.top}
        self._runs[key] = run
        self._approvals.add_snapshot(key, snapshot)
        self._send(key, run, Record(sequence=0, name="stream.rebuilt", data="{}"))
        self._append_parked(key, run)
        self._update_gap(run, top_before=-1)
        if not ended:
            self._send_tenant_message(run.tenant, RUN_APPEARED, key)
        if inbox_entries.inbox_items(snapshot):
            self._send_tenant_message(run.tenant, INBOX_CHANGED)
        return run.epoch

    async def link_retry(self, key: str, retried_as: str) -> None:
        if key in self._runs:
            self._runs[key].retried_as = retried_as

    async def discard(self, key: str) -> None:
        self._runs.pop(key, None)

    def _write(self, event: CloudEvent) -> AppendOutcome | SignalboxError:
        try:
            record = records.event_record(event)
        except InvalidInput as error:
            return error
        write = self._publish_live if event.sequence is None else self._append
        return write(event, record)

    def _append(self, event: CloudEvent, record: Record) -> AppendOutcome:
        key = run_key(event.tenantid, event.runid)
        run = self._runs.get(key)
        if run is None:
            run = self._runs[key] = FakeRunState(epoch=next(self._epochs), tenant=event.tenantid)
        self._approvals.add_event(key, event)
        top_before = run.top
        outcome = self._place(key, run, record)
        run.ended_at = run.ended_at or (event.time if record.terminal else None)
        self._update_gap(run, top_before=top_before)
        if records.is_first(event) and outcome is AppendOutcome.APPENDED:
            self._send_tenant_message(run.tenant, RUN_APPEARED, key)
        if (
            event.name == "approval.requested"
            or event.name in records.INBOX_FACT_EVENTS
            or inbox_entries.closed_approval(event)
            or (record.terminal and self._approvals.has_any(key))
        ):
            self._send_tenant_message(run.tenant, INBOX_CHANGED)
        return outcome

    def _send_tenant_message(self, tenant: str, name: str, key: str = "") -> None:
        self.channels.send(
            tenant_channel(tenant), records.unpack_message(records.pack_tenant_message(name, key))
        )

    def _place(self, key: str, run: FakeRunState, record: Record) -> AppendOutcome:
        if _is_foreign(run, record):
            return AppendOutcome.DROPPED
        if record.begins and record.sequence > run.top:
            self._begin(key, run, record)
        if record.reopens and record.sequence > run.top:
            run.ended = False
        if run.ended or record.sequence <= run.top:
            return AppendOutcome.DROPPED
        if record.sequence > run.top + 1:
            run.parked.setdefault(record.sequence, record)
            return AppendOutcome.PARKED
        self._append_next(key, run, record)
        self._append_parked(key, run)
        return AppendOutcome.APPENDED

    def _begin(self, key: str, run: FakeRunState, record: Record) -> None:
        was_used = run.top > 0
        parked = {sequence: item for sequence, item in run.parked.items() if sequence >= record.sequence}
        begun = FakeRunState(epoch=next(self._epochs), tenant=run.tenant, top=record.sequence - 1)
        vars(run).update(vars(begun), parked=parked)
        if was_used:
            self._send(key, run, Record(sequence=0, name="stream.rebuilt", data="{}"))

    def _append_next(self, key: str, run: FakeRunState, record: Record) -> None:
        run.log = [*run.log, record][-self._max_frames :]
        run.top = record.sequence
        if record.field:
            run.newest[record.field] = record.data.encode()
        run.set_marks(record.marks)
        self._send(key, run, record)
        if record.terminal:
            run.ended = True
            run.parked.clear()

    def _append_parked(self, key: str, run: FakeRunState) -> None:
        while not run.ended and run.top + 1 in run.parked:
            self._append_next(key, run, run.parked.pop(run.top + 1))

    def _publish_live(self, event: CloudEvent, record: Record) -> AppendOutcome:
        key = run_key(event.tenantid, event.runid)
        run = self._runs.get(key)
        if run and (run.ended or (record.guard and run.marks.get(record.guard) == ENDED_STEP)):
            return AppendOutcome.DROPPED
        if run and record.field:
            run.newest[record.field] = record.data.encode()
        self._send(key, run or FakeRunState(epoch="", tenant=""), record)
        return AppendOutcome.APPENDED

    def _send(self, key: str, run: FakeRunState, record: Record) -> None:
        self.channels.send(key, frame_of(run.epoch, record))

    def _update_gap(self, run: FakeRunState, *, top_before: int) -> None:
        if not run.parked:
            run.gap_since = None
        elif run.gap_since is None or run.top != top_before:
            run.gap_since = self._now()


def _is_foreign(run: FakeRunState, record: Record) -> bool:
    """Whether the record is of a plain workflow, and the stream of a pipeline's run with the same id."""
    return 0 < run.top < records.FIRST_PLAIN_SEQUENCE <= record.sequence and records.PLAIN not in run.marks
