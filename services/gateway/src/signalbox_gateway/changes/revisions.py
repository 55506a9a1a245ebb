"""The revisions of the tracked settings in the object store. Each is created once and never changed.

A revision is the point of commit of its changes: their events are built from it alone. So two gateways that
notice a change, and one that was killed before it published, give the ledger the same events.
"""

from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct

from signalbox_core.events import CloudEvent
from signalbox_core.objects import MutableObjectStore
from signalbox_gateway.changes.change_events import change_event
from signalbox_gateway.changes.difference import Difference, TrackedItem
from signalbox_gateway.changes.tracked_settings import SettingKind

_FOLDER: Final = "settings"
_JSON: Final = "application/json"


class Revision(Struct, frozen=True, kw_only=True):
    """A state of one kind of settings, and how it differs from the one before.

    Attributes:
        number: counts from 1.
        at: when a gateway noticed it.
        tenants: in whose ledgers a change of what all tenants share is recorded.
    """

    kind: SettingKind
    number: int
    at: datetime
    items: tuple[TrackedItem, ...]
    differences: tuple[Difference, ...]
    tenants: tuple[str, ...]

    def events(self) -> list[CloudEvent]:
        """The events of the differences, in their order."""
        return [
            change_event(
                f"{self.kind}.{difference.kind}", tenant, difference, self.at, state=str(self.number)
            )
            for difference in self.differences
            for tenant in (self.tenants if difference.tenant is None else (difference.tenant,))
        ]


class RevisionStore:
    """Reads and creates revisions."""

    def __init__(self, objects: MutableObjectStore) -> None:
        self._objects = objects

    async def latest(self, kind: SettingKind) -> Revision | None:
        keys = await self._objects.list_keys(f"{_FOLDER}/{kind}")
        return await self._read(max(keys)) if keys else None

    async def create(self, revision: Revision) -> None:
        """Create a revision, unless there is one of this number, by another gateway."""
        key = f"{_FOLDER}/{revision.kind}/{revision.number:012}"
        await self._objects.put_new(key, msgspec.json.encode(revision), _JSON)

    async def _read(self, key: str) -> Revision:
        return msgspec.json.decode(await self._objects.get(key), type=Revision)
