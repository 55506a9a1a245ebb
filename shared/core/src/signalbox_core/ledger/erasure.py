"""Erases the values behind entries. The entries and their digests stay, so the log still verifies."""

from collections.abc import AsyncIterator, Callable, Mapping

import msgspec

from signalbox_core.errors import NotFound
from signalbox_core.ledger.commitments import ERASED
from signalbox_core.ledger.entries import LedgerEntry, decode_entry, entry_key, erasable_fields
from signalbox_core.ledger.layout import JSON, LogKeys, TileReader
from signalbox_core.ledger.notes import parse_checkpoint
from signalbox_core.ledger.receipts import read_values
from signalbox_core.ledger.tiles import bundle_refs
from signalbox_core.objects import MutableObjectStore

IsSelected = Callable[[LedgerEntry, Mapping[str, msgspec.Raw]], bool]
"""Whether to erase the values of an entry, given the entry and the values."""


async def erase_values(
    store: MutableObjectStore, tenant: str, is_selected: IsSelected, *, apply: bool
) -> AsyncIterator[LedgerEntry]:
    """Erase the values of the selected entries. Idempotent.

    Args:
        apply: False only lists them.

    Yields:
        Each entry whose values are, or would be, erased.

    Raises:
        NotFound: the tenant has no ledger.
    """
    keys = LogKeys(tenant)
    try:
        size = parse_checkpoint((await store.get(keys.checkpoint)).decode()).size
    except NotFound:
        raise NotFound(f"tenant {tenant!r} has no ledger in this object store", field="tenant") from None
    tiles = TileReader(store, keys)
    for ref in bundle_refs(size):
        for body in await tiles.entries(ref):
            entry = decode_entry(body)
            values = await read_values(store, keys, entry)
            if values.salt is None or not is_selected(entry, erasable_fields(bytes(values.data))):
                continue
            if apply:
                await store.replace(keys.values(entry_key(entry)), msgspec.json.encode(ERASED), JSON)
            yield entry
