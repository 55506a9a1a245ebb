"""Records changes of keys and policies: compares what this gateway uses with the newest recorded revision."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from signalbox_core.ledger.log import run_limited
from signalbox_gateway.changes.change_events import RecordChange
from signalbox_gateway.changes.difference import TrackedItem, find_differences
from signalbox_gateway.changes.revisions import Revision, RevisionStore
from signalbox_gateway.changes.tracked_settings import SettingKind

log = logging.getLogger(__name__)
CHECK_INTERVAL: Final = timedelta(seconds=2)
SettingsInUse = Mapping[SettingKind, tuple[TrackedItem, ...]]


class SettingsRecorder:
    """A background loop of every gateway; the settings are compared when it starts and when they change.

    Args:
        read: returns the settings in use; raises Unavailable. A kind that it leaves out is not compared.
        tenants: those in whose ledgers a change of what all tenants share is recorded.
        record: publishes an event for the ledger; raises Unavailable.
    """

    def __init__(
        self,
        store: RevisionStore,
        read: Callable[[], Awaitable[SettingsInUse]],
        tenants: Callable[[], Iterable[str]],
        record: RecordChange,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        interval: timedelta = CHECK_INTERVAL,
    ) -> None:
        self._store = store
        self._read = read
        self._tenants = tenants
        self._record = record
        self._clock = clock
        self._interval_s = interval.total_seconds()
        self._recorded: dict[SettingKind, tuple[TrackedItem, ...]] = {}

    async def run(self) -> None:
        """Check again and again, until cancelled.

        Raises:
            Unavailable: a change could not be recorded; the next call records it.
        """
        while True:
            await self.check()
            await asyncio.sleep(self._interval_s)

    async def check(self) -> None:
        """Record what has changed since the last call.

        Raises:
            Unavailable: the object store, Pub/Sub or Redis is unavailable.
        """
        for kind, items in (await self._read()).items():
            if self._recorded.get(kind) != items:
                await self._record_changes(kind, items)
                self._recorded[kind] = items

    async def _record_changes(self, kind: SettingKind, items: tuple[TrackedItem, ...]) -> None:
        """Create revisions until the newest one has these items; another gateway may create one first.

        The newest revision is published each time, because who created it may have been killed before.
        """
        while True:
            latest = await self._store.latest(kind)
            await run_limited(self._record(event) for event in (latest.events() if latest else ()))
            differences = find_differences(latest.items if latest is not None else (), items)
            if not differences:
                return
            revision = Revision(
                kind=kind,
                number=latest.number + 1 if latest is not None else 1,
                at=self._clock(),
                items=items,
                differences=differences,
                tenants=tuple(sorted(self._tenants())),
            )
            await self._store.create(revision)
            log.info("settings changed", extra={"kind": kind, "changes": len(differences)})
