"""Receipts: an entry, its inclusion proof and the checkpoint; verified offline with the public key alone."""

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from signalbox_core.canonical_json import canonical_json
from signalbox_core.errors import InvalidInput, InvalidSignature, NotFound
from signalbox_core.ledger.commitments import (
    ERASED,
    DisclosedValue,
    StoredValues,
    matches,
    salt_of,
)
from signalbox_core.ledger.entries import (
    LedgerEntry,
    approval_key,
    decode_entry,
    entry_key,
    erasable_fields,
)
from signalbox_core.ledger.layout import LogKeys, TileReader
from signalbox_core.ledger.lookups import read_latest_lookup
from signalbox_core.ledger.merkle import inclusion_path, is_included, leaf_hash
from signalbox_core.ledger.notes import NoteVerifier, open_checkpoint, parse_checkpoint
from signalbox_core.ledger.signatures import SIGNATURES, verify_signatures
from signalbox_core.objects import ObjectStore
from signalbox_core.passkeys.signature import PasskeySignature

MAX_RECEIPT_BYTES: Final = 4_096


class Receipt(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Proof that an entry is in a tenant's ledger.

    Attributes:
        entry: exactly what the log holds, as canonical JSON.
        proof: the hashes of the inclusion proof (RFC 6962), base64, from the leaf up.
        checkpoint: the signed note that has the size and root of the log.
        disclosed: values behind the entry's digests. Absent once they were erased; a value that does not fit
            into a receipt is left out, and its salt is kept. Signatures are always disclosed.
    """

    entry: msgspec.Raw
    proof: tuple[str, ...]
    checkpoint: str
    disclosed: Mapping[str, DisclosedValue] = {}


class VerifiedReceipt(Struct, frozen=True, kw_only=True):
    """What a receipt proves.

    Attributes:
        signatures: of the votes that made the outcome, each verified by the public key in it.
    """

    entry: LedgerEntry
    origin: str
    size: int
    disclosed: Mapping[str, DisclosedValue]
    signatures: tuple[PasskeySignature, ...] = ()


async def read_receipt(store: ObjectStore, tenant: str, run_id: str, approval_id: str) -> Receipt:
    """Build the receipt of an approval's outcome; the last one, if a retried run asked the question again.

    Raises:
        NotFound: the ledger has no outcome of this approval that a checkpoint covers.
    """
    keys = LogKeys(tenant)
    index = (await read_latest_lookup(store, keys.outcome(approval_key(run_id, approval_id)))).index
    checkpoint = (await store.get(keys.checkpoint)).decode()
    size = parse_checkpoint(checkpoint).size
    if index >= size:
        raise NotFound(f"the checkpoint does not cover entry {index} yet")
    tiles = TileReader(store, keys)
    body = await tiles.entry(index, size)
    hashes = await tiles.span_hashes(inclusion_path(index, size), size)
    receipt = Receipt(
        entry=msgspec.Raw(body),
        proof=tuple(b64encode(value).decode() for value in hashes),
        checkpoint=checkpoint,
    )
    return disclose(receipt, await read_values(store, keys, decode_entry(body)))


async def read_values(store: ObjectStore, keys: LogKeys, entry: LedgerEntry) -> StoredValues:
    """The erasable values of an entry; their salt is None once they were erased."""
    try:
        return msgspec.json.decode(await store.get(keys.values(entry_key(entry))), type=StoredValues)
    except NotFound:
        return ERASED


def disclose(receipt: Receipt, values: StoredValues) -> Receipt:
    """Add the salts and the signatures, and the values that fit into the rest, the smallest first."""
    if values.salt is None:
        return receipt
    fields = erasable_fields(bytes(values.data))
    disclosed = {name: DisclosedValue(salt=salt_of(values, name)) for name in fields}
    limit = MAX_RECEIPT_BYTES
    if SIGNATURES in fields:
        signatures = fields.pop(SIGNATURES)
        disclosed[SIGNATURES] = replace(disclosed[SIGNATURES], value=signatures)
        limit += len(bytes(signatures))
    for name, value in fields.items():
        larger = replace(receipt, disclosed={**disclosed, name: replace(disclosed[name], value=value)})
        # The whole data repeats the other values, so it is only disclosed by its salt.
        if name != "data" and len(encode_receipt(larger)) <= limit:
            disclosed = dict(larger.disclosed)
    return replace(receipt, disclosed=disclosed)


def encode_receipt(receipt: Receipt) -> bytes:
    return msgspec.json.encode(receipt)


def decode_receipt(body: bytes) -> Receipt:
    """Decode a receipt.

    Raises:
        InvalidInput: it is not one.
    """
    try:
        return msgspec.json.decode(body, type=Receipt)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"not a receipt: {error}", field="receipt") from None


def verify_receipt(receipt: Receipt, verifiers: Sequence[NoteVerifier]) -> VerifiedReceipt:
    """Verify a receipt by the public keys of the log and, if given, of its witnesses.

    Raises:
        InvalidSignature: the checkpoint is not signed by every key, the entry is not in the log at this
            position, a disclosed value is not the one that was recorded, or a passkey did not sign this
            decision; the message names it.
        InvalidInput: the receipt is malformed.
    """
    checkpoint = open_checkpoint(receipt.checkpoint, verifiers)
    body = canonical_json(receipt.entry)
    entry = decode_entry(body)
    try:
        proof = [b64decode(value, validate=True) for value in receipt.proof]
    except ValueError:
        raise InvalidInput("the proof is not base64", field="proof") from None
    if not is_included(leaf_hash(body), entry.index, checkpoint.size, proof, checkpoint.root):
        raise InvalidSignature(
            f"not entry {entry.index} of {checkpoint.origin}: the entry or its proof was changed",
            code="not_in_ledger",
        )
    for name, disclosed in receipt.disclosed.items():
        if name not in entry.digests or not matches(disclosed, entry.digests[name]):
            raise InvalidSignature(
                f"the value of {name!r} is not the one that was recorded", code="not_in_ledger", field=name
            )
    return VerifiedReceipt(
        entry=entry,
        origin=checkpoint.origin,
        size=checkpoint.size,
        disclosed=receipt.disclosed,
        signatures=verify_signatures(entry, receipt.disclosed),
    )
