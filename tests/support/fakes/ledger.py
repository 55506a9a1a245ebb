"""Events, keys and damage for tests of the ledger."""

from collections.abc import Callable

import msgspec

from signalbox_core.errors import Unavailable
from signalbox_core.events import CloudEvent
from signalbox_core.events.approval_data import ApprovalDecided, ApprovalExpired, ApprovalRequested
from signalbox_core.ledger.audit import LogDamage, find_damage
from signalbox_core.ledger.layout import LogKeys
from signalbox_core.ledger.log import TenantLog
from signalbox_core.ledger.notes import new_signer, open_checkpoint
from signalbox_core.ledger.tiles import TileRef, bundle_refs, decode_bundle
from signalbox_core.objects import ObjectRef
from signalbox_core.passkeys.signature import PasskeySignature
from signalbox_core.testing.objects import FakeObjectStore
from support.fakes.events import make_event

TENANT = "acme co"
KEYS = LogKeys(TENANT)
SIGNER = new_signer("signalbox.test/ledger")
WITNESS = new_signer("witness.test", use="witness")


def asked(run_id: str, *, evidence: object = None, digest: str = "d" * 64, sequence: int = 1) -> CloudEvent:
    """The question `publish` of a run."""
    data = ApprovalRequested(
        approval_id="publish",
        name="publish",
        title="Publish?",
        answer_schema=msgspec.Raw(b"{}"),
        options=msgspec.Raw(b"null"),
        evidence=msgspec.Raw(msgspec.json.encode(evidence)),
        digest=digest,
    )
    return make_event("approval.requested", data, sequence=sequence, run_id=run_id, tenant=TENANT)


def decided(
    run_id: str,
    *,
    answer: object = True,
    note: str | None = "looks right",
    signatures: tuple[PasskeySignature, ...] = (),
    sequence: int = 2,
) -> CloudEvent:
    """The decision about that question."""
    data = ApprovalDecided(
        approval_id="publish",
        decision_id="d-1",
        decided_by="Lan Nguyen",
        answer=msgspec.Raw(msgspec.json.encode(answer)),
        note=note,
        signatures=signatures or msgspec.UNSET,
    )
    return make_event("approval.decided", data, sequence=sequence, run_id=run_id, tenant=TENANT)


def expired(run_id: str, *, sequence: int = 2) -> CloudEvent:
    """The end of that question at its deadline."""
    data = ApprovalExpired(approval_id="publish")
    return make_event("approval.expired", data, sequence=sequence, run_id=run_id, tenant=TENANT)


def open_log(store: FakeObjectStore) -> TenantLog:
    return TenantLog(store, TENANT, [SIGNER])


async def filled_store(count: int, *, per_batch: int = 100) -> FakeObjectStore:
    """A store with a log of `count` decisions."""
    store = FakeObjectStore()
    log = open_log(store)
    events = [decided(f"run-{number:05}") for number in range(count)]
    for start in range(0, count, per_batch):
        await log.append(events[start : start + per_batch])
    return store


def stored_entries(store: FakeObjectStore) -> list[bytes]:
    """The entries that the checkpoint covers."""
    size = open_checkpoint(store.bodies[KEYS.checkpoint].decode(), [SIGNER.verifier]).size
    bundles = [decode_bundle(store.bodies[KEYS.tile(ref)]) for ref in bundle_refs(size)]
    return [entry for bundle in bundles for entry in bundle]


def damage_of(store: FakeObjectStore) -> LogDamage | None:
    checkpoint = open_checkpoint(store.bodies[KEYS.checkpoint].decode(), [SIGNER.verifier])
    return find_damage(checkpoint, lambda ref: store.bodies.get(KEYS.tile(ref)))


def read_tile(store: FakeObjectStore) -> Callable[[TileRef], bytes | None]:
    return lambda ref: store.bodies.get(KEYS.tile(ref))


class CrashingStore(FakeObjectStore):
    """Fails at one of its writes, before or after the write took effect, and at every call from then on.

    Args:
        at: the number of the write, from 1.
    """

    def __init__(self, bodies: dict[str, bytes], *, at: int, is_written: bool) -> None:
        super().__init__()
        self.bodies = bodies
        self._left = at
        self._is_written = is_written

    async def put_new(self, key: str, body: bytes, media_type: str) -> ObjectRef:
        self._count(lambda: self.bodies.setdefault(key, bytes(body)))
        return await super().put_new(key, body, media_type)

    async def replace(self, key: str, body: bytes, media_type: str) -> None:
        self._count(lambda: self.bodies.update({key: bytes(body)}))
        await super().replace(key, body, media_type)

    async def delete(self, key: str) -> None:
        self._count(lambda: self.bodies.pop(key, None))
        await super().delete(key)

    @property
    def has_crashed(self) -> bool:
        return self._left <= 0

    def _count(self, write: Callable[[], object]) -> None:
        self._left -= 1
        if self._left == 0 and self._is_written:
            write()
        if self._left <= 0:
            raise Unavailable("the process was killed here")
