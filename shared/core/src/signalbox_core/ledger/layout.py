"""Where a tenant's log stands in the object store, and how its tiles are read."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from msgspec import Struct

from signalbox_core.errors import NotFound
from signalbox_core.ledger.merkle import Span, join_subtrees, perfect_nodes, perfect_root
from signalbox_core.ledger.tiles import (
    ENTRIES,
    HASH_BYTES,
    TILE_WIDTH,
    TileRef,
    decode_bundle,
    decode_hashes,
    tile_of,
)
from signalbox_core.objects import ObjectStore

BINARY: Final = "application/octet-stream"
NOTE: Final = "text/plain; charset=utf-8"
JSON: Final = "application/json"


class LogKeys(Struct, frozen=True):
    """The keys of one tenant's log.

    `checkpoint` and `tile/…` are the C2SP layout, which is all that a verifier needs. `journal/` has every
    batch under the index of its first entry: creating that object is what appends the batch. `index/` and
    `values/` are for the service: lookups by event and approval, and the erasable values.
    """

    tenant: str

    @property
    def folder(self) -> str:
        return f"ledger/{quote(self.tenant, safe='')}"

    @property
    def checkpoint(self) -> str:
        return f"{self.folder}/checkpoint"

    def tile(self, ref: TileRef) -> str:
        return f"{self.folder}/{ref.path}"

    def partials(self, ref: TileRef) -> str:
        return f"{self.folder}/{ref.partials_folder}"

    def batch(self, start: int) -> str:
        return f"{self.folder}/journal/{start:012}"

    def event(self, key: str) -> str:
        return f"{self.folder}/index/events/{key[:2]}/{key}"

    def question(self, key: str) -> str:
        return f"{self.folder}/index/questions/{key[:2]}/{key}"

    def outcome(self, key: str) -> str:
        return f"{self.folder}/index/outcomes/{key[:2]}/{key}"

    def values(self, key: str) -> str:
        return f"{self.folder}/values/{key[:2]}/{key}"


class TileReader:
    """Reads a tenant's tiles and entry bundles."""

    def __init__(self, store: ObjectStore, keys: LogKeys) -> None:
        self._store = store
        self._keys = keys

    async def hashes(self, ref: TileRef) -> tuple[bytes, ...]:
        """The hashes of a tile."""
        return decode_hashes((await self._read(ref))[: ref.width * HASH_BYTES])

    async def entries(self, ref: TileRef) -> list[bytes]:
        """The entries of a bundle."""
        return decode_bundle(await self._read(ref))[: ref.width]

    async def entry(self, index: int, size: int) -> bytes:
        """One entry of a log of `size` entries."""
        start = index // TILE_WIDTH * TILE_WIDTH
        ref = TileRef(ENTRIES, index // TILE_WIDTH, min(TILE_WIDTH, size - start))
        return (await self.entries(ref))[index - start]

    async def span_hashes(self, spans: Sequence[Span], size: int) -> list[bytes]:
        """The hash of each span of a log of `size` entries."""
        return [await self._span_hash(span, size) for span in spans]

    async def _span_hash(self, span: Span, size: int) -> bytes:
        subtrees = []
        for node in perfect_nodes(span):
            ref, place = tile_of(node, size)
            subtrees.append(perfect_root((await self.hashes(ref))[place]))
        return join_subtrees(subtrees)

    async def _read(self, ref: TileRef) -> bytes:
        try:
            return await self._store.get(self._keys.tile(ref))
        except NotFound:
            if ref.width == TILE_WIDTH:
                raise
        # A partial tile is deleted once the full one exists; the full one begins with the same bytes.
        return await self._store.get(self._keys.tile(ref.full()))
