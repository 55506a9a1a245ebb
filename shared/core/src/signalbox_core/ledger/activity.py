"""Reads a tenant's log backwards, for people: who did what, newest first. Not for verifying the log."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from signalbox_core.errors import NotFound
from signalbox_core.ledger.entries import LedgerEntry, decode_entry, erasable_fields
from signalbox_core.ledger.layout import LogKeys, TileReader
from signalbox_core.ledger.log import run_limited
from signalbox_core.ledger.notes import parse_checkpoint
from signalbox_core.ledger.receipts import read_values
from signalbox_core.ledger.tiles import ENTRIES, TILE_WIDTH, TileRef
from signalbox_core.objects import ObjectStore

MAX_BUNDLES: Final = 8
"""Bundles that one call reads: up to 2,048 entries."""
MAX_VALUES: Final = 256
"""Objects with values that one call reads, one for each entry whose actor is compared."""
_BATCH: Final = 64
# The values that are shown; an entry without their digests has none of them.
_SHOWN: Final = ("subject", "name", "reason")


class ActivityQuery(Struct, frozen=True, kw_only=True):
    """Which entries to read.

    Attributes:
        is_selected: whether an entry counts, by what the log holds of it.
        actor: a part of the subject or of the name of who acted, in any case; empty for everyone.
        below: reads only entries below this index; None for the newest.
        after: reads only entries above this index; None for all.
    """

    is_selected: Callable[[LedgerEntry], bool]
    limit: int
    actor: str = ""
    below: int | None = None
    after: int | None = None


class ActivityRecord(Struct, frozen=True, kw_only=True):
    """An entry with the erasable values that are shown of it.

    Attributes:
        subject, name, reason: None if the event has none, or if it was erased.
        is_erased: the values were erased.
    """

    entry: LedgerEntry
    subject: str | None = None
    name: str | None = None
    reason: str | None = None
    is_erased: bool = False


class ActivityPage(Struct, frozen=True, kw_only=True):
    """Records in the reverse order of the log.

    Attributes:
        below: where the next call continues; None at the end. A page can have fewer records than the limit,
            or none, before the end, because a call examines a bounded number of entries.
    """

    records: tuple[ActivityRecord, ...]
    below: int | None


async def read_activity(store: ObjectStore, tenant: str, query: ActivityQuery) -> ActivityPage:
    """Read the newest entries that the query selects; none while the log is empty."""
    keys = LogKeys(tenant)
    try:
        size = parse_checkpoint((await store.get(keys.checkpoint)).decode()).size
    except NotFound:
        return ActivityPage(records=(), below=None)
    first = 0 if query.after is None else query.after + 1
    below = size if query.below is None else min(query.below, size)
    found: list[ActivityRecord] = []
    values_left, tiles = MAX_VALUES, TileReader(store, keys)
    for _ in range(MAX_BUNDLES):
        if below <= first:
            break
        entries = [entry for entry in await _entries_below(tiles, below, size) if entry.index >= first]
        for batch in _batches([entry for entry in entries if query.is_selected(entry)], query, found):
            records = await run_limited(_record(store, keys, entry) for entry in batch)
            values_left -= len(batch)
            found += [record for record in records if _is_by(query.actor, record)]
            below = batch[-1].index
            if len(found) == query.limit or (query.actor and values_left < _BATCH):
                return _page(found, below, first)
        below = entries[-1].index
    return _page(found, below, first)


def _page(found: Sequence[ActivityRecord], below: int, first: int) -> ActivityPage:
    return ActivityPage(records=tuple(found), below=below if below > first else None)


async def _entries_below(tiles: TileReader, below: int, size: int) -> list[LedgerEntry]:
    """The entries of one bundle that are below an index, the newest first."""
    bundle = (below - 1) // TILE_WIDTH
    start = bundle * TILE_WIDTH
    bodies = await tiles.entries(TileRef(ENTRIES, bundle, min(TILE_WIDTH, size - start)))
    return [decode_entry(body) for body in reversed(bodies[: below - start])]


def _batches(
    entries: Sequence[LedgerEntry], query: ActivityQuery, found: Sequence[ActivityRecord]
) -> Iterator[Sequence[LedgerEntry]]:
    """Divide entries so that no batch exceeds what is left of the limit after what was found before it."""
    start = 0
    while start < len(entries):
        end = start + min(_BATCH, query.limit - len(found))
        yield entries[start:end]
        start = end


async def _record(store: ObjectStore, keys: LogKeys, entry: LedgerEntry) -> ActivityRecord:
    if not any(name in entry.digests for name in _SHOWN):
        return ActivityRecord(entry=entry)
    values = await read_values(store, keys, entry)
    if values.salt is None:
        return ActivityRecord(entry=entry, is_erased=True)
    fields = erasable_fields(bytes(values.data))
    return ActivityRecord(
        entry=entry,
        subject=_text(fields, "subject"),
        name=_text(fields, "name"),
        reason=_text(fields, "reason"),
    )


def _text(fields: Mapping[str, msgspec.Raw], name: str) -> str | None:
    try:
        return msgspec.json.decode(fields.get(name, b"null"), type=str | None)
    except msgspec.ValidationError:
        return None


def _is_by(actor: str, record: ActivityRecord) -> bool:
    wanted = actor.casefold()
    return not wanted or any(wanted in (text or "").casefold() for text in (record.subject, record.name))
