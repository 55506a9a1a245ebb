"""One tenant's log on an object store: appends events exactly once, also with two writers and after a crash.

The journal makes it safe. A batch is appended by creating the object that is named by the index of its first
entry; the store creates it once, so of two writers at the same position one wins, and the other applies the
winner's batch before it tries again. Tiles, lookups and the checkpoint follow from the journal: each is
written again after a crash, with the same bytes. The lookups of a batch are written before the checkpoint
that covers it, so an event is a duplicate if it is in a lookup, or in a batch applied since the checkpoint.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Sequence
from datetime import UTC, datetime
from typing import Final, TypeVar

import msgspec

from signalbox_core.errors import NotFound, Unavailable
from signalbox_core.events.envelope import CloudEvent
from signalbox_core.ledger.commitments import StoredValues, new_values
from signalbox_core.ledger.entries import (
    OUTCOMES,
    QUESTION,
    LedgerEntry,
    approval_key,
    approval_of,
    build_entry,
    decode_entry,
    encode_entry,
    entry_key,
    event_key,
    sort_events,
)
from signalbox_core.ledger.layout import BINARY, JSON, NOTE, LogKeys, TileReader
from signalbox_core.ledger.lookups import IndexRecord, append_lookups, read_latest_lookup
from signalbox_core.ledger.merkle import leaf_hash
from signalbox_core.ledger.notes import Checkpoint, NoteSigner, parse_checkpoint, sign_checkpoint
from signalbox_core.ledger.tiles import (
    ENTRIES,
    TILE_WIDTH,
    TileRef,
    TreeEdge,
    decode_bundle,
    edge_tiles,
    encode_bundle,
)
from signalbox_core.objects import MutableObjectStore

T = TypeVar("T")
log = logging.getLogger(__name__)
_CONCURRENCY: Final = 32
_MAX_ATTEMPTS: Final = 20


class LedgerDamaged(Unavailable):
    """What is stored of a log contradicts its checkpoint, so nothing is appended; restore the log first."""

    code = "ledger_damaged"


class TenantLog:
    """The writer of one tenant's log. Its calls must not overlap; writers in other processes may compete.

    Args:
        signers: the key of the log, and optionally that of a witness, which cosigns every checkpoint. The
            origin of the log is the name of the first key and the tenant.
    """

    def __init__(
        self,
        store: MutableObjectStore,
        tenant: str,
        signers: Sequence[NoteSigner],
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._keys = LogKeys(tenant)
        self._tiles = TileReader(store, self._keys)
        self._signers = signers
        self._clock = clock
        self._origin = f"{signers[0].verifier.name}/{self._keys.folder.partition('/')[2]}"
        self._edge: TreeEdge | None = None
        self._bundle: list[bytes] = []
        self._last_leaf = ""

    async def append(self, events: Iterable[CloudEvent]) -> int:
        """Append the events that the log does not have yet, and publish a checkpoint that covers them.

        Returns:
            The number of entries that this call added.

        Raises:
            Unavailable: the store is unavailable, or the log is damaged; the same call may succeed later.
        """
        try:
            return await self._append({event_key(event): event for event in sort_events(events)})
        except BaseException:
            # What is in memory may be ahead of what is stored: start again from the checkpoint.
            self._edge = None
            raise

    async def size(self) -> int:
        """The number of entries, of which the checkpoint may not cover the last ones yet."""
        return (await self._load()).size

    async def _append(self, events: dict[str, CloudEvent]) -> int:
        edge = await self._load()
        for _ in range(_MAX_ATTEMPTS):
            known = await run_limited(self._is_recorded(key) for key in events)
            fresh = {
                key: event for (key, event), found in zip(events.items(), known, strict=True) if not found
            }
            if not fresh:
                # Another writer may have recorded them without a checkpoint that covers them.
                await self._apply_journal(edge)
                await self._publish(edge)
                return 0
            batch = await self._build_batch(edge, fresh)
            is_mine, stored = await self._create_batch(edge.size, batch)
            await self._apply(edge, stored)
            if is_mine:
                await self._publish(edge)
                return len(fresh)
        raise Unavailable(f"ledger of {self._keys.tenant}: other writers appended first each time")

    async def _load(self) -> TreeEdge:
        """Read the right edge of the tree at the checkpoint, then apply the batches since."""
        if self._edge is not None:
            return self._edge
        checkpoint = await self._read_checkpoint()
        size = checkpoint.size if checkpoint else 0
        refs = {ref.level: ref for ref in edge_tiles(size)}
        levels = [
            await self._tiles.hashes(refs[level]) if level in refs else ()
            for level in range(max((int(level) for level in refs), default=-1) + 1)
        ]
        edge = TreeEdge(size, levels)
        if checkpoint and edge.root() != checkpoint.root:
            raise LedgerDamaged(f"ledger of {self._keys.tenant}: the tiles do not match the checkpoint")
        width = size % TILE_WIDTH
        ref = TileRef(ENTRIES, size // TILE_WIDTH, width)
        self._bundle = await self._tiles.entries(ref) if width else []
        self._last_leaf = await self._leaf_before(size)
        await self._apply_journal(edge)
        self._edge = edge
        return edge

    async def _apply_journal(self, edge: TreeEdge) -> None:
        """Apply the batches that are stored after the edge."""
        while (batch := await self._read_batch(edge.size)) is not None:
            await self._apply(edge, batch)

    async def _leaf_before(self, size: int) -> str:
        return leaf_hash(await self._tiles.entry(size - 1, size)).hex() if size else ""

    async def _is_recorded(self, key: str) -> bool:
        return await self._store.exists(self._keys.event(key))

    async def _build_batch(self, edge: TreeEdge, events: dict[str, CloudEvent]) -> list[bytes]:
        values = await run_limited(
            self._store_values(key, bytes(event.data)) for key, event in events.items()
        )
        digests = await run_limited(self._question_digest(event) for event in events.values())
        batch: list[bytes] = []
        asked: dict[tuple[str, str | None], str | None] = {}
        previous = self._last_leaf
        for event, value, digest in zip(events.values(), values, digests, strict=True):
            approval = event.runid, approval_of(event)
            entry = build_entry(
                event,
                value,
                index=edge.size + len(batch),
                previous=previous,
                question_digest=asked.get(approval, digest),
            )
            if event.name == QUESTION:
                # The lookup of a question exists only once its batch is stored; until then it may be that of
                # an earlier question of the same id.
                asked[approval] = entry.question_digest
            batch.append(encode_entry(entry))
            previous = leaf_hash(batch[-1]).hex()
        return batch

    async def _store_values(self, key: str, data: bytes) -> StoredValues:
        """Store an event's values once: a retry, or another writer, uses the salt that is stored already."""
        name = self._keys.values(key)
        await self._store.put_new(name, msgspec.json.encode(new_values(data)), JSON)
        return msgspec.json.decode(await self._store.get(name), type=StoredValues)

    async def _question_digest(self, event: CloudEvent) -> str | None:
        approval_id = approval_of(event)
        if event.name == QUESTION or approval_id is None:
            return None
        key = self._keys.question(approval_key(event.runid, approval_id))
        try:
            return (await read_latest_lookup(self._store, key)).digest
        except NotFound:
            return None

    async def _create_batch(self, start: int, batch: list[bytes]) -> tuple[bool, list[bytes]]:
        """Create the batch at a position. Returns whether it is this one, and the batch that is stored."""
        body, key = encode_bundle(batch), self._keys.batch(start)
        await self._store.put_new(key, body, BINARY)
        stored = await self._store.get(key)
        return stored == body, decode_bundle(stored)

    async def _read_batch(self, start: int) -> list[bytes] | None:
        try:
            return decode_bundle(await self._store.get(self._keys.batch(start)))
        except NotFound:
            return None

    async def _apply(self, edge: TreeEdge, batch: list[bytes]) -> None:
        """Add a stored batch to the tree, and write its tiles, bundles and lookups."""
        tiles: dict[TileRef, bytes] = {}
        for body in batch:
            completed = edge.append(leaf_hash(body))
            tiles |= {tile.ref: tile.body for tile in completed}
            self._bundle.append(body)
            if len(self._bundle) == TILE_WIDTH:
                tiles[TileRef(ENTRIES, edge.size // TILE_WIDTH - 1)] = encode_bundle(self._bundle)
                self._bundle = []
        full = list(tiles)
        tiles |= {tile.ref: tile.body for tile in edge.partial_tiles()}
        if self._bundle:
            partial = TileRef(ENTRIES, edge.size // TILE_WIDTH, len(self._bundle))
            tiles[partial] = encode_bundle(self._bundle)
        self._last_leaf = leaf_hash(batch[-1]).hex()
        await run_limited(
            self._store.put_new(self._keys.tile(ref), body, BINARY) for ref, body in tiles.items()
        )
        await self._put_lookups([decode_entry(body) for body in batch])
        await self._delete_partials(full)

    async def _put_lookups(self, entries: Sequence[LedgerEntry]) -> None:
        approvals: dict[str, list[IndexRecord]] = {}
        for entry in entries:
            if entry.approval_id is not None and entry.event in {QUESTION, *OUTCOMES}:
                key = approval_key(entry.run_id, entry.approval_id)
                place = self._keys.question(key) if entry.event == QUESTION else self._keys.outcome(key)
                approvals.setdefault(place, []).append(_record_of(entry))
        await run_limited(append_lookups(self._store, *series) for series in approvals.items())
        await run_limited(
            self._store.put_new(
                self._keys.event(entry_key(entry)), msgspec.json.encode(_record_of(entry)), JSON
            )
            for entry in entries
        )

    async def _publish(self, edge: TreeEdge) -> None:
        """Replace the checkpoint unless it covers the log already.

        A writer that lost its lease may have put an older checkpoint back; the next call repairs that.
        """
        current = await self._read_checkpoint()
        if current is not None and current.size >= edge.size:
            return
        checkpoint = Checkpoint(origin=self._origin, size=edge.size, root=edge.root())
        note = sign_checkpoint(checkpoint, self._signers, self._clock())
        await self._store.replace(self._keys.checkpoint, note.encode(), NOTE)

    async def _read_checkpoint(self) -> Checkpoint | None:
        try:
            return parse_checkpoint((await self._store.get(self._keys.checkpoint)).decode())
        except NotFound:
            return None

    async def _delete_partials(self, completed: Sequence[TileRef]) -> None:
        """Delete the partial tiles of full ones. What a crash leaves behind costs space only."""
        for ref in completed:
            for key in await self._store.list_keys(self._keys.partials(ref)):
                await self._store.delete(key)


def _record_of(entry: LedgerEntry) -> IndexRecord:
    return IndexRecord(index=entry.index, digest=entry.question_digest)


async def run_limited(calls: Iterable[Coroutine[object, object, T]]) -> list[T]:
    """Run calls concurrently, a limited number at once. The first error cancels the others and is raised."""
    slots = asyncio.Semaphore(_CONCURRENCY)

    async def limited(call: Coroutine[object, object, T]) -> T:
        async with slots:
            return await call

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(limited(call)) for call in calls]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]
