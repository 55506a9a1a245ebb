"""The Merkle tree agrees with pymerkle, an independent implementation, and refuses every changed proof."""

import random

import pytest
from pymerkle import InmemoryTree

from signalbox_core.ledger.merkle import (
    EMPTY_ROOT,
    consistency_path,
    inclusion_path,
    is_consistent,
    is_included,
    leaf_hash,
    span_hash,
    tree_root,
)
from signalbox_core.ledger.tiles import TreeEdge

SIZES = [0, 1, 2, 3, 5, 8, 255, 256, 257, 511, 513, 1000, *random.Random(18).sample(range(1_001), 30)]


def entries(size: int) -> list[bytes]:
    source = random.Random(size)
    return [source.randbytes(source.randrange(40)) for _ in range(size)]


def proof_of(leaves: list[bytes], index: int) -> list[bytes]:
    return [span_hash(leaves, span) for span in inclusion_path(index, len(leaves))]


def consistency_of(leaves: list[bytes], old: int) -> list[bytes]:
    return [span_hash(leaves, span) for span in consistency_path(old, len(leaves))]


@pytest.mark.parametrize("size", SIZES)
def test_roots_and_inclusion_proofs_are_those_of_pymerkle(size: int) -> None:
    data = entries(size)
    leaves, peer = [leaf_hash(entry) for entry in data], InmemoryTree.init_from_entries(data)
    edge = TreeEdge()
    for leaf in leaves:
        edge.append(leaf)
    assert tree_root(leaves) == edge.root() == peer.get_root()
    for index in random.Random(size).sample(range(size), min(size, 12)):
        proof = proof_of(leaves, index)
        assert proof == peer.prove_inclusion(index + 1).path[1:]
        assert is_included(leaves[index], index, size, proof, peer.get_root())


@pytest.mark.parametrize("size", [size for size in SIZES if size])
def test_a_consistency_proof_connects_the_roots_of_pymerkle(size: int) -> None:
    data = entries(size)
    leaves, peer = [leaf_hash(entry) for entry in data], InmemoryTree.init_from_entries(data)
    for old in {1, size, *random.Random(size).sample(range(1, size + 1), min(size, 8))}:
        proof = consistency_of(leaves, old)
        assert is_consistent(old, size, proof, peer.get_root(old), peer.get_root())
        assert not is_consistent(old, size, proof, peer.get_root(old), leaf_hash(b"other"))
        assert not is_consistent(old, size, [*proof, leaf_hash(b"more")], peer.get_root(old), peer.get_root())


def test_the_vectors_of_certificate_transparency_hold() -> None:
    """The eight leaves and roots of the reference implementation of RFC 6962."""
    data = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ]
    roots = {
        0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    }
    leaves = [leaf_hash(bytes.fromhex(item)) for item in data]
    assert {size: tree_root(leaves[:size]).hex() for size in roots} == roots
    assert roots[0] == EMPTY_ROOT.hex()


def test_a_changed_proof_is_refused() -> None:
    leaves = [leaf_hash(entry) for entry in entries(300)]
    root, proof = tree_root(leaves), proof_of(leaves, 123)
    assert is_included(leaves[123], 123, 300, proof, root)
    assert not is_included(leaves[124], 123, 300, proof, root)
    assert not is_included(leaves[123], 122, 300, proof, root)
    assert not is_included(leaves[123], 123, 300, proof[:-1], root)
    assert not is_included(leaves[123], 300, 300, proof, root)
    for at in range(len(proof)):
        assert not is_included(leaves[123], 123, 300, [*proof[:at], root, *proof[at + 1 :]], root)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (3, 3), (-1, 3)])
def test_a_leaf_outside_of_the_tree_has_no_proof(index: int, size: int) -> None:
    with pytest.raises(ValueError, match=f"{size} leaves has no leaf"):
        inclusion_path(index, size)
    with pytest.raises(ValueError, match="no consistency proof"):
        consistency_path(0, 3)
