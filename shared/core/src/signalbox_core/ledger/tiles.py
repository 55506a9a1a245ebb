"""The C2SP tlog-tiles layout: names of tiles, entry bundles, and the right edge of a growing tree. Pure."""

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from signalbox_core.errors import InvalidInput
from signalbox_core.ledger.merkle import PerfectNode, join_subtrees, perfect_root

TILE_HEIGHT: Final = 8
TILE_WIDTH: Final = 1 << TILE_HEIGHT
HASH_BYTES: Final = 32
MAX_ENTRY_BYTES: Final = 0xFFFF
ENTRIES: Final = "entries"
"""The level of entry bundles in the names of tiles."""


class TileRef(Struct, frozen=True):
    """The place of a tile, or of an entry bundle (level `entries`), with `width` hashes or entries."""

    level: int | str
    index: int
    width: int = TILE_WIDTH

    @property
    def path(self) -> str:
        """`tile/0/x001/x234/067`, with `.p/5` for a partial tile of width 5."""
        partial = f".p/{self.width}" if self.width < TILE_WIDTH else ""
        return f"tile/{self.level}/{_index_path(self.index)}{partial}"

    @property
    def partials_folder(self) -> str:
        """The folder of the partial tiles of this place."""
        return f"tile/{self.level}/{_index_path(self.index)}.p"

    def full(self) -> "TileRef":
        return TileRef(self.level, self.index)


class HashTile(Struct, frozen=True):
    ref: TileRef
    hashes: tuple[bytes, ...]

    @property
    def body(self) -> bytes:
        return b"".join(self.hashes)


class TreeEdge:
    """The partial tiles at the right edge of a tree: enough to append leaves and to compute the root.

    Args:
        levels: the hashes of the partial tile of each level, from `edge_tiles`.
    """

    def __init__(self, size: int = 0, levels: Iterable[Sequence[bytes]] = ()) -> None:
        self.size = size
        self._levels = [list(hashes) for hashes in levels]

    def append(self, leaf: bytes) -> list[HashTile]:
        """Append a leaf hash. Returns the tiles that it completed."""
        completed: list[HashTile] = []
        self.size += 1
        level, value = 0, leaf
        while True:
            if level == len(self._levels):
                self._levels.append([])
            hashes = self._levels[level]
            hashes.append(value)
            if len(hashes) < TILE_WIDTH:
                return completed
            index = (self.size >> (TILE_HEIGHT * (level + 1))) - 1
            completed.append(HashTile(TileRef(level, index), tuple(hashes)))
            value = perfect_root(hashes)
            hashes.clear()
            level += 1

    def partial_tiles(self) -> list[HashTile]:
        return [
            HashTile(ref, tuple(self._levels[int(ref.level)]))
            for ref in edge_tiles(self.size)
            if ref.width < TILE_WIDTH
        ]

    def root(self) -> bytes:
        subtrees: list[bytes] = []
        for hashes in reversed(self._levels):
            start = 0
            while start < len(hashes):
                count = 1 << ((len(hashes) - start).bit_length() - 1)
                subtrees.append(perfect_root(hashes[start : start + count]))
                start += count
        return join_subtrees(subtrees)


def edge_tiles(size: int) -> list[TileRef]:
    """The partial tile of every level of a tree that has one, the lowest level first."""
    tiles, level = [], 0
    while count := size >> (TILE_HEIGHT * level):
        if width := count % TILE_WIDTH:
            tiles.append(TileRef(level, count // TILE_WIDTH, width))
        level += 1
    return tiles


def tile_of(node: PerfectNode, size: int) -> tuple[TileRef, slice]:
    """The tile of a tree of `size` leaves that holds a node, and the node's hashes within the tile."""
    level = node.height // TILE_HEIGHT
    count = 1 << (node.height - TILE_HEIGHT * level)
    first = node.position * count
    index = first // TILE_WIDTH
    width = min(TILE_WIDTH, (size >> (TILE_HEIGHT * level)) - index * TILE_WIDTH)
    offset = first % TILE_WIDTH
    return TileRef(level, index, width), slice(offset, offset + count)


def bundle_refs(size: int) -> list[TileRef]:
    """The entry bundles of a tree of `size` leaves, in order."""
    return [
        TileRef(ENTRIES, start // TILE_WIDTH, min(TILE_WIDTH, size - start))
        for start in range(0, size, TILE_WIDTH)
    ]


def encode_bundle(entries: Iterable[bytes]) -> bytes:
    """Each entry behind its length in two bytes, big-endian."""
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def decode_bundle(body: bytes) -> list[bytes]:
    """Split a bundle into its entries.

    Raises:
        InvalidInput: the last entry is cut off.
    """
    entries: list[bytes] = []
    at = 0
    while at < len(body):
        end = at + 2 + int.from_bytes(body[at : at + 2], "big")
        if end > len(body) or at + 2 > len(body):
            raise InvalidInput(f"the entry bundle ends within its entry {len(entries)}")
        entries.append(body[at + 2 : end])
        at = end
    return entries


def decode_hashes(body: bytes) -> tuple[bytes, ...]:
    """Split a tile into its hashes.

    Raises:
        InvalidInput: the length is not a multiple of a hash's.
    """
    if len(body) % HASH_BYTES:
        raise InvalidInput(f"the tile has {len(body)} bytes, which is not a multiple of {HASH_BYTES}")
    return tuple(body[at : at + HASH_BYTES] for at in range(0, len(body), HASH_BYTES))


def _index_path(index: int) -> str:
    groups = [f"{index % 1000:03}"]
    while index := index // 1000:
        groups.append(f"x{index % 1000:03}")
    return "/".join(reversed(groups))
