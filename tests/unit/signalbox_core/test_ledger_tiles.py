"""Names of tiles, bundles of entries, and what of a tree is at its right edge."""

import pytest

from signalbox_core.errors import InvalidInput
from signalbox_core.ledger.merkle import PerfectNode, leaf_hash
from signalbox_core.ledger.tiles import (
    TileRef,
    TreeEdge,
    bundle_refs,
    decode_bundle,
    decode_hashes,
    edge_tiles,
    encode_bundle,
    tile_of,
)


@pytest.mark.parametrize(
    ("ref", "path"),
    [
        (TileRef(0, 0), "tile/0/000"),
        (TileRef(1, 999, 5), "tile/1/999.p/5"),
        (TileRef(0, 1234067), "tile/0/x001/x234/067"),
        (TileRef("entries", 1000, 255), "tile/entries/x001/000.p/255"),
    ],
)
def test_paths_are_those_of_tlog_tiles(ref: TileRef, path: str) -> None:
    assert ref.path == path


def test_the_tiles_of_70000_leaves() -> None:
    """The example of C2SP tlog-tiles: 256 full and one partial tile at level 0, then 17 and 1."""
    assert edge_tiles(70_000) == [TileRef(0, 273, 112), TileRef(1, 1, 17), TileRef(2, 0, 1)]
    assert len(bundle_refs(70_000)) == 274
    assert bundle_refs(70_000)[-1] == TileRef("entries", 273, 112)


def test_an_edge_goes_on_from_its_partial_tiles() -> None:
    edge = TreeEdge()
    for number in range(700):
        edge.append(leaf_hash(b"%d" % number))
    resumed = TreeEdge(700, [tile.hashes for tile in edge.partial_tiles()])
    for number in range(700, 800):
        assert edge.append(leaf_hash(b"%d" % number)) == resumed.append(leaf_hash(b"%d" % number))
        assert edge.root() == resumed.root()


def test_a_node_is_found_in_its_tile() -> None:
    assert tile_of(PerfectNode(0, 300), 700) == (TileRef(0, 1), slice(44, 45))
    assert tile_of(PerfectNode(3, 64), 700) == (TileRef(0, 2, 188), slice(0, 8))
    assert tile_of(PerfectNode(8, 1), 700) == (TileRef(1, 0, 2), slice(1, 2))


def test_a_bundle_is_read_back_and_a_cut_one_refused() -> None:
    entries = [b"", b"a", b"x" * 65_535]
    body = encode_bundle(entries)
    assert decode_bundle(body) == entries
    for cut in (body[:-1], body[:-65_536]):
        with pytest.raises(InvalidInput, match="ends within its entry 2"):
            decode_bundle(cut)
    with pytest.raises(InvalidInput, match="33 bytes"):
        decode_hashes(b"x" * 33)
