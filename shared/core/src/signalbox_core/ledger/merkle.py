"""The Merkle tree of RFC 6962: hashes, inclusion and consistency proofs. Pure; knows no storage.

A proof is planned as a list of spans of leaves. The caller reads the hash of each span, from tiles or from
leaves, so the same plan serves the server, the offline verifier and the tests.
"""

import hashlib
from collections.abc import Sequence
from typing import Final, NamedTuple

EMPTY_ROOT: Final = hashlib.sha256(b"").digest()


class Span(NamedTuple):
    """The leaves `start` to `end` (exclusive), one subtree of the RFC's recursive split."""

    start: int
    end: int


class PerfectNode(NamedTuple):
    """The subtree over the leaves `position << height` to `(position + 1) << height`."""

    height: int
    position: int


def leaf_hash(entry: bytes) -> bytes:
    """Hash one entry (RFC 6962 §2.1)."""
    return hashlib.sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees (RFC 6962 §2.1)."""
    return hashlib.sha256(b"\1" + left + right).digest()


def perfect_root(hashes: Sequence[bytes]) -> bytes:
    """The root over a power of two of sibling hashes."""
    row = list(hashes)
    while len(row) > 1:
        row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]


def join_subtrees(hashes: Sequence[bytes]) -> bytes:
    """The root over perfect subtrees of descending size; of none, the root of the empty tree."""
    if not hashes:
        return EMPTY_ROOT
    root = hashes[-1]
    for left in reversed(hashes[:-1]):
        root = node_hash(left, root)
    return root


def tree_root(leaves: Sequence[bytes]) -> bytes:
    """The root over leaf hashes."""
    return span_hash(leaves, Span(0, len(leaves)))


def span_hash(leaves: Sequence[bytes], span: Span) -> bytes:
    """The hash of a span, from all leaf hashes."""
    return join_subtrees(
        [
            perfect_root(leaves[node.position << node.height : (node.position + 1) << node.height])
            for node in perfect_nodes(span)
        ]
    )


def perfect_nodes(span: Span) -> list[PerfectNode]:
    """Split a span into perfect subtrees, the largest first. `join_subtrees` of their hashes is its hash."""
    nodes, start = [], span.start
    while start < span.end:
        height = (span.end - start).bit_length() - 1
        nodes.append(PerfectNode(height, start >> height))
        start += 1 << height
    return nodes


def inclusion_path(index: int, size: int) -> list[Span]:
    """The spans whose hashes prove that leaf `index` is in the tree of `size` leaves (RFC 6962 §2.1.1).

    Raises:
        ValueError: the tree has no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    path, start, end = [], 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(Span(middle, end))
            end = middle
        else:
            path.append(Span(start, middle))
            start = middle
    return path[::-1]


def consistency_path(old: int, new: int) -> list[Span]:
    """The spans whose hashes prove that the tree of `new` leaves extends that of `old` (RFC 6962 §2.1.2).

    Raises:
        ValueError: `old` is not between 1 and `new`.
    """
    if not 0 < old <= new:
        raise ValueError(f"no consistency proof from {old} to {new} leaves")
    path, start, end = [], 0, new
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            path.append(Span(middle, end))
            end = middle
        else:
            path.append(Span(start, middle))
            start = middle
    return [*([Span(start, end)] if start else []), *reversed(path)]


def is_included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether `proof` shows that the leaf hash is at `index` of the tree with this size and root."""
    if not 0 <= index < size:
        return False
    path = inclusion_path(index, size)
    if len(path) != len(proof):
        return False
    found = leaf
    for span, sibling in zip(path, proof, strict=True):
        found = node_hash(sibling, found) if span.start < index else node_hash(found, sibling)
    return found == root


def is_consistent(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> bool:
    """Whether `proof` shows that the new tree extends the old one (RFC 9162 §2.1.4.2)."""
    if old == new:
        return not proof and old_root == new_root
    if not 0 < old < new or not proof:
        return False
    hashes = list(proof) if old & (old - 1) else [old_root, *proof]
    first, last = old - 1, new - 1
    while first & 1:
        first, last = first >> 1, last >> 1
    old_found = new_found = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if first & 1 or first == last:
            old_found, new_found = node_hash(sibling, old_found), node_hash(sibling, new_found)
            while first and not first & 1:
                first, last = first >> 1, last >> 1
        else:
            new_found = node_hash(new_found, sibling)
        first, last = first >> 1, last >> 1
    return last == 0 and old_found == old_root and new_found == new_root


def _split(count: int) -> int:
    """The largest power of two below `count`."""
    return 1 << ((count - 1).bit_length() - 1)
