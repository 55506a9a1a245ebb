"""Offline verification of a log's folder, with the public key alone. Names the first damaged entry. Pure."""

from collections.abc import Callable, Sequence
from typing import Literal

from msgspec import Struct

from signalbox_core.errors import InvalidInput
from signalbox_core.ledger.entries import LedgerEntry, decode_entry
from signalbox_core.ledger.merkle import leaf_hash, tree_root
from signalbox_core.ledger.notes import Checkpoint
from signalbox_core.ledger.tiles import TILE_WIDTH, TileRef, bundle_refs, decode_bundle, decode_hashes

ReadTile = Callable[[TileRef], bytes | None]
"""Returns the content of a tile, None when there is none."""
DamageKind = Literal["changed", "dropped", "inserted", "reordered", "truncated", "replaced"]


class LogDamage(Struct, frozen=True, kw_only=True):
    """The first difference between a log and its checkpoint.

    Attributes:
        kind: `replaced` when the entries agree with each other, and not with what was signed.
        index: of the first entry concerned; None when it cannot be named.
    """

    kind: DamageKind
    index: int | None
    message: str


def find_damage(
    checkpoint: Checkpoint, read_tile: ReadTile, earlier: Sequence[Checkpoint] = ()
) -> LogDamage | None:
    """Compare a log's entries with its checkpoint, and with earlier checkpoints of the same log.

    Args:
        checkpoint: verified by the caller, as are `earlier`, such as those of receipts.

    Returns:
        None when the log is exactly what was signed.
    """
    try:
        bodies = _read_entries(read_tile, checkpoint.size)
    except InvalidInput as error:
        return LogDamage(kind="changed", index=None, message=error.detail)
    leaves = [leaf_hash(body) for body in bodies]
    if _is_signed(leaves, checkpoint):
        return _compare_with_earlier(leaves, earlier)
    recorded = _read_leaves(read_tile, checkpoint.size)
    if _is_signed(recorded, checkpoint):
        return _compare(leaves, recorded)
    return _compare_chain(bodies, leaves, checkpoint)


def read_log(read_tile: ReadTile, size: int) -> list[LedgerEntry]:
    """The entries of a log in which `find_damage` has found none."""
    return [decode_entry(body) for body in _read_entries(read_tile, size)]


def _is_signed(leaves: Sequence[bytes], checkpoint: Checkpoint) -> bool:
    return len(leaves) == checkpoint.size and tree_root(leaves) == checkpoint.root


def _compare_with_earlier(leaves: list[bytes], earlier: Sequence[Checkpoint]) -> LogDamage | None:
    for checkpoint in sorted(earlier, key=lambda item: item.size):
        if checkpoint.size > len(leaves):
            return _damage(
                "truncated", len(leaves), f"an earlier checkpoint covers {checkpoint.size} entries"
            )
        if tree_root(leaves[: checkpoint.size]) != checkpoint.root:
            return LogDamage(
                kind="replaced",
                index=None,
                message=f"the log does not extend the earlier checkpoint of {checkpoint.size} entries",
            )
    return None


def _compare(found: list[bytes], signed: list[bytes]) -> LogDamage | None:
    """Name the first entry that differs. The hashes in the tiles are what was signed."""
    at = next(
        (at for at, (one, other) in enumerate(zip(found, signed, strict=False)) if one != other),
        min(len(found), len(signed)),
    )
    if at == len(found):
        return _damage("truncated", at, f"the checkpoint covers {len(signed)} entries")
    if at == len(signed):
        return _damage("inserted", at)
    is_original, is_moved = found[at] in signed[at:], signed[at] in found[at:]
    if is_original and is_moved:
        return _damage("reordered", at, f"entry {signed.index(found[at])} is in its place")
    if is_moved:
        return _damage("inserted", at)
    return _damage("dropped" if is_original else "changed", at)


def _compare_chain(bodies: list[bytes], leaves: list[bytes], checkpoint: Checkpoint) -> LogDamage:
    """Name the first entry that contradicts its neighbours, in a log whose tiles were damaged too."""
    entries = [_entry(body) for body in bodies]
    present = {entry.index for entry in entries if entry is not None}
    for at, entry in enumerate(entries):
        if entry is None:
            return _damage("changed", at, "it is not an entry")
        if entry.index > at:
            return _damage("reordered" if at in present else "dropped", at, f"found entry {entry.index}")
        if entry.index < at:
            return _damage("inserted", at, f"it repeats the index {entry.index}")
        if at and entry.previous != leaves[at - 1].hex():
            return _damage("changed", at - 1, f"entry {at} has another hash of it")
    if len(bodies) < checkpoint.size:
        return _damage("truncated", len(bodies), f"the checkpoint covers {checkpoint.size} entries")
    return LogDamage(
        kind="replaced",
        index=None,
        message="the entries agree with each other, and not with the signed checkpoint: "
        "the last entry was changed, or all entries from one on were rewritten",
    )


def _read_entries(read_tile: ReadTile, size: int) -> list[bytes]:
    entries: list[bytes] = []
    for ref in bundle_refs(size):
        body = read_tile(ref)
        if body is not None:
            entries += decode_bundle(body)
        elif ref.width < TILE_WIDTH and (body := read_tile(ref.full())) is not None:
            entries += decode_bundle(body)[: ref.width]
    return entries


def _read_leaves(read_tile: ReadTile, size: int) -> list[bytes]:
    """The leaf hashes in the tiles; what is missing or malformed is left out."""
    leaves: list[bytes] = []
    for ref in bundle_refs(size):
        tile = TileRef(0, ref.index, ref.width)
        body = read_tile(tile) or read_tile(tile.full()) or b""
        try:
            leaves += decode_hashes(body)[: ref.width]
        except InvalidInput:
            continue
    return leaves


def _entry(body: bytes) -> LedgerEntry | None:
    try:
        return decode_entry(body)
    except InvalidInput:
        return None


def _damage(kind: DamageKind, index: int, detail: str = "") -> LogDamage:
    message = f"the log ends before entry {index}" if kind == "truncated" else f"entry {index} was {kind}"
    return LogDamage(kind=kind, index=index, message=f"{message}: {detail}" if detail else message)
