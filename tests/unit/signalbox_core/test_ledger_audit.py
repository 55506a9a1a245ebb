"""Offline verification names the first entry that was changed, dropped, inserted, moved or cut off."""

import sys
import time
from collections.abc import Callable
from typing import Final

import pytest

from signalbox_core.ledger.audit import find_damage
from signalbox_core.ledger.merkle import leaf_hash, tree_root
from signalbox_core.ledger.notes import Checkpoint, open_checkpoint
from signalbox_core.ledger.tiles import TILE_WIDTH, TileRef, bundle_refs, encode_bundle
from signalbox_core.testing.objects import FakeObjectStore
from support.fakes.ledger import KEYS, SIGNER, damage_of, filled_store, read_tile, stored_entries
from support.measured_replay import machine_slowness

SIZE = 600
MANY = 5_000
GOAL_S_PER_100_000: Final = 10.0
"""CPU time of the verification; it grows in proportion to the entries."""
Damage = Callable[[list[bytes]], list[bytes]]


def changed(entries: list[bytes]) -> list[bytes]:
    return [*entries[:300], entries[300].replace(b"run-00300", b"run-00301"), *entries[301:]]


def dropped(entries: list[bytes]) -> list[bytes]:
    return entries[:300] + entries[301:]


def inserted(entries: list[bytes]) -> list[bytes]:
    return [*entries[:300], entries[300].replace(b"run-00300", b"run-99999"), *entries[300:]]


def repeated(entries: list[bytes]) -> list[bytes]:
    return [*entries[:300], entries[7], *entries[300:]]


def reordered(entries: list[bytes]) -> list[bytes]:
    return [*entries[:300], entries[410], *entries[301:410], entries[300], *entries[411:]]


def truncated(entries: list[bytes]) -> list[bytes]:
    return entries[:300]


DAMAGES = [
    pytest.param(changed, "changed", id="changed"),
    pytest.param(dropped, "dropped", id="dropped"),
    pytest.param(inserted, "inserted", id="inserted"),
    pytest.param(repeated, "inserted", id="repeated"),
    pytest.param(reordered, "reordered", id="reordered"),
    pytest.param(truncated, "truncated", id="truncated"),
]


def rewrite(store: FakeObjectStore, entries: list[bytes], *, with_tiles: bool) -> None:
    """Store other entries in well-formed bundles, and with matching hashes in the tiles."""
    for key in [key for key in store.bodies if "/tile/entries/" in key]:
        del store.bodies[key]
    refs = bundle_refs(SIZE)
    for ref in refs:
        end = len(entries) if ref == refs[-1] else (ref.index + 1) * TILE_WIDTH
        part = entries[ref.index * TILE_WIDTH : end]
        if part:
            store.bodies[KEYS.tile(ref)] = encode_bundle(part)
        if with_tiles:
            hashes = b"".join(leaf_hash(entry) for entry in part)
            store.bodies[KEYS.tile(TileRef(0, ref.index, ref.width))] = hashes


async def test_a_whole_log_is_verified() -> None:
    assert damage_of(await filled_store(SIZE)) is None
    assert damage_of(await filled_store(TILE_WIDTH)) is None


@pytest.mark.parametrize("with_tiles", [False, True], ids=["entries only", "entries and tiles"])
@pytest.mark.parametrize(("damage", "kind"), DAMAGES)
async def test_the_first_damaged_entry_is_named(damage: Damage, kind: str, with_tiles: bool) -> None:
    store = await filled_store(SIZE)
    rewrite(store, damage(stored_entries(store)), with_tiles=with_tiles)
    found = damage_of(store)
    assert found is not None
    assert found.kind == kind
    # Without signed hashes, an inserted entry shows in the one after it, which repeats its index.
    assert found.index in ({300, 301} if with_tiles and kind == "inserted" else {300})
    assert str(found.index) in found.message


async def test_a_log_is_verified_at_ten_thousand_entries_a_second() -> None:
    store = await filled_store(MANY, per_batch=500)
    slowness, began_s = machine_slowness(), time.process_time()

    assert damage_of(store) is None

    took_s = time.process_time() - began_s
    sys.stdout.write(
        f"{MANY} entries verified in {took_s:.2f} s of CPU; the machine takes {slowness:.1f} × the CPU time"
        " of the reference\n"
    )
    assert took_s <= MANY / 100_000 * GOAL_S_PER_100_000 * slowness


async def test_the_last_entry_is_covered_too() -> None:
    store = await filled_store(SIZE)
    entries = stored_entries(store)
    rewrite(store, entries[:-1], with_tiles=False)
    assert damage_of(store) is not None
    rewrite(store, [*entries, entries[0]], with_tiles=False)
    found = damage_of(store)
    assert found is not None
    assert (found.kind, found.index) == ("inserted", SIZE)


async def test_a_log_that_was_written_anew_is_not_the_one_that_was_signed() -> None:
    store, other = await filled_store(SIZE), await filled_store(SIZE)
    other.bodies[KEYS.checkpoint] = store.bodies[KEYS.checkpoint]
    found = damage_of(other)
    assert found is not None
    assert (found.kind, found.index) == ("replaced", None)


async def test_a_bundle_that_cannot_be_read_is_reported() -> None:
    store = await filled_store(SIZE)
    ref = bundle_refs(SIZE)[1]
    store.bodies[KEYS.tile(ref)] = store.bodies[KEYS.tile(ref)][:-5]
    found = damage_of(store)
    assert found is not None
    assert "ends within its entry 255" in found.message


async def test_a_log_must_extend_earlier_checkpoints() -> None:
    store = await filled_store(SIZE)
    leaves = [leaf_hash(entry) for entry in stored_entries(store)]
    now = open_checkpoint(store.bodies[KEYS.checkpoint].decode(), [SIGNER.verifier])
    at_400 = Checkpoint(origin=now.origin, size=400, root=tree_root(leaves[:400]))
    assert find_damage(now, read_tile(store), [at_400]) is None
    forked = Checkpoint(origin=now.origin, size=400, root=tree_root(leaves[1:401]))
    found = find_damage(now, read_tile(store), [at_400, forked])
    assert found is not None
    assert found.kind == "replaced"
    longer = Checkpoint(origin=now.origin, size=700, root=now.root)
    found = find_damage(now, read_tile(store), [longer])
    assert found is not None
    assert (found.kind, found.index) == ("truncated", SIZE)
