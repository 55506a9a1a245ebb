"""The pending and decided approvals that FakeRunStream lists."""

from collections.abc import Mapping

from msgspec.structs import replace

from signalbox_core.events import CloudEvent, Snapshot
from signalbox_core.streams import inbox_entries
from signalbox_core.streams.approval_marks import (
    claimer_of,
    decided_mark_names,
    described,
    is_open,
    listed_decisions,
    mark_names,
    vote_mark,
)
from signalbox_core.streams.run_stream import (
    MAX_DECIDED,
    DecidedItem,
    InboxItem,
    InboxPage,
    InboxPosition,
)
from signalbox_core.testing.stream_state import FakeRunState


class FakeApprovalLists:
    """The entries of all tenants, by the key of the stream and the approval.

    Args:
        runs: the streams by key; the entries are checked against their marks, as the real ones are.
    """

    def __init__(self, runs: Mapping[str, FakeRunState]) -> None:
        self._runs = runs
        self._pending: dict[tuple[str, str], InboxItem] = {}
        self._decided: dict[tuple[str, str], DecidedItem] = {}

    def clear(self) -> None:
        self._pending.clear()
        self._decided.clear()

    def add_event(self, key: str, event: CloudEvent) -> None:
        if event.name == "approval.requested":
            item = inbox_entries.inbox_item(event)
            self._pending[key, item.approval_id] = item
        if (decided := inbox_entries.decided_item(event)) is not None:
            self._decided[key, decided.approval_id] = decided

    def add_snapshot(self, key: str, snapshot: Snapshot) -> None:
        for item in inbox_entries.inbox_items(snapshot):
            self._pending[key, item.approval_id] = item
        for decided in inbox_entries.decided_items(snapshot):
            self._decided[key, decided.approval_id] = decided

    def has_any(self, key: str) -> bool:
        return any(owner == key for owner, _ in self._pending)

    def tenants(self) -> list[str]:
        return sorted({self._runs[key].tenant for key, _ in self._pending if key in self._runs})

    def page(self, tenant: str, after: InboxPosition | None, limit: int, voter: str | None) -> InboxPage:
        found = self._open_items(tenant, voter)
        start = (after.requested_us, after.field) if after else (-1, "")
        later = [(place, item) for place, item in found if place > start]
        more = len(later) > limit
        (requested_us, field), _ = later[:limit][-1] if later else (start, None)
        return InboxPage(
            items=tuple(item for _, item in later[:limit]),
            next=InboxPosition(requested_us=requested_us, field=field) if more else None,
            total=len(found),
        )

    def newest_decided(self, tenant: str, limit: int) -> tuple[DecidedItem, ...]:
        found = []
        for (key, approval_id), item in self._decided.items():
            run = self._runs.get(key)
            if run is not None and run.tenant == tenant:
                found.append((replace(item, run_id=key), run.read_marks(decided_mark_names(approval_id))))
        found.sort(key=lambda entry: entry[0].decided_at, reverse=True)
        return listed_decisions(found[: min(limit, MAX_DECIDED)])

    def _open_items(self, tenant: str, voter: str | None) -> list[tuple[tuple[int, str], InboxItem]]:
        found = []
        for (key, approval_id), item in self._pending.items():
            run = self._runs.get(key)
            if run is None or run.tenant != tenant:
                continue
            marks = run.read_marks(mark_names(approval_id, voter))
            if not is_open(item, marks):
                continue
            claimer = claimer_of(item, marks)
            votes = run.read_marks((vote_mark(approval_id, claimer),)) if claimer is not None else {}
            place = (inbox_entries.requested_us(item), f"{key}/{approval_id}")
            entry = described(item, marks, voter=voter, claimer_vote=next(iter(votes.values()), None))
            found.append((place, entry))
        return sorted(found, key=lambda entry: entry[0])
