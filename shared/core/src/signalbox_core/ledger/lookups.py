"""The lookups of a tenant's log: at which position an event, a question or an outcome is.

A run that is retried from a failed step asks its questions again under the same approval ids, so an approval
has a series of lookups: `<key>`, `<key>-2` and so on, each created once. Every writer applies the batches in
their order, so the positions of a series ascend, and its last lookup is the one in force.
"""

from collections.abc import Iterable, Iterator
from itertools import count
from typing import Final

import msgspec
from msgspec import Struct

from signalbox_core.errors import NotFound
from signalbox_core.objects import ObjectStore

_JSON: Final = "application/json"


class IndexRecord(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A lookup: the position of an entry, and of a question its digest."""

    index: int
    digest: str | None = None


async def append_lookups(store: ObjectStore, key: str, records: Iterable[IndexRecord]) -> None:
    """Append lookups to a series, in order; those that it has are skipped."""
    places = _places(key)
    place = next(places)
    for record in records:
        while await _create_lookup(store, place, record) < record.index:
            place = next(places)


async def _create_lookup(store: ObjectStore, place: str, record: IndexRecord) -> int:
    """Create a lookup unless there is one. Returns the position in the one that is stored."""
    await store.put_new(place, msgspec.json.encode(record), _JSON)
    return msgspec.json.decode(await store.get(place), type=IndexRecord).index


async def read_latest_lookup(store: ObjectStore, key: str) -> IndexRecord:
    """Read the last lookup of a series.

    Raises:
        NotFound: it has none.
    """
    places = _places(key)
    found = msgspec.json.decode(await store.get(next(places)), type=IndexRecord)
    for place in places:
        try:
            found = msgspec.json.decode(await store.get(place), type=IndexRecord)
        except NotFound:
            break
    return found


def _places(key: str) -> Iterator[str]:
    yield key
    for number in count(2):
        yield f"{key}-{number}"
